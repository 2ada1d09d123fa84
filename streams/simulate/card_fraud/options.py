"""What a simulation can be told: size, seed, drifts and faults, and how they are written on a command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, get_args

from features.domains.card_fraud.currencies import REFERENCE
from streams.simulate.card_fraud.currencies import WORTH
from streams.simulate.simulator import Request, check, number

Pattern = Literal[
    "card_testing", "stolen_card", "compromised_terminal", "account_takeover", "contactless_runup", "merchant_collusion"
]
PATTERNS: tuple[Pattern, ...] = get_args(Pattern)
#: Codes in the ground truth: 0 is genuine, then PATTERNS in order.
TRUTH_NAMES: tuple[str, ...] = ("genuine", *PATTERNS)
#: The pattern that nobody has seen yet: off until a drift switches it on.
UNBORN: frozenset[Pattern] = frozenset({"merchant_collusion"})

FaultKind = Literal["amount_unit", "location_missing", "entry_mode_stuck"]
FAULTS: tuple[FaultKind, ...] = get_args(FaultKind)


@dataclass(frozen=True)
class AmountDrift:
    """From ``day`` on (offset from the start, fractions allowed) people spend ``factor`` times what they spent at first."""

    factor: float
    day: float


@dataclass(frozen=True)
class PatternDrift:
    """From ``day`` on a fraud pattern lives or is dead."""

    pattern: Pattern
    on: bool
    day: float


Drift = AmountDrift | PatternDrift


@dataclass(frozen=True)
class Fault:
    """From ``day`` on, for ``days``, what producers send is wrong; what happened is not."""

    kind: FaultKind
    day: float
    days: float


@dataclass(frozen=True)
class Options:
    """A simulation. Two of them with equal options give equal bytes. Raises ValueError, naming the field, where one is wrong."""

    cards: int = 2000
    terminals: int = 500
    start: date = date(2026, 1, 5)
    seed: int = 7
    #: Share of all transactions while the patterns are those of the start.
    fraud_rate: float = 0.009
    #: Mean number of genuine transactions of a card in a day.
    rate: float = 2.0
    #: What terminals take (``streams.simulate.card_fraud.currencies``); half of them the first.
    currencies: tuple[str, ...] = ("EUR",)
    drifts: tuple[Drift, ...] = ()
    faults: tuple[Fault, ...] = ()
    #: Share of the fraud labels that are withdrawn later: a chargeback that is reversed, an analyst who was wrong.
    withdrawn_rate: float = 0.0
    #: Shares of the genuine purchases: given back days later, taken back within minutes, and tried in vain before.
    refunds: float = 0.012
    reversals: float = 0.003
    declined: float = 0.02

    def __post_init__(self) -> None:
        check("cards", self.cards, 1 <= self.cards <= 1_000_000, "from 1 to 1000000")
        check("terminals", self.terminals, 40 <= self.terminals <= 100_000, "from 40 to 100000")
        check("start", self.start, 2000 <= self.start.year < 2090, "a date from 2000-01-01 to 2089-12-31")
        check("seed", self.seed, self.seed >= 0, "zero or more")
        check("fraud_rate", self.fraud_rate, 0.0 <= self.fraud_rate <= 0.5, "from 0 to 0.5")
        check("withdrawn_rate", self.withdrawn_rate, 0.0 <= self.withdrawn_rate <= 1.0, "from 0 to 1")
        check(
            "currencies", self.currencies, bool(self.currencies) and set(self.currencies) <= set(WORTH), f"of {', '.join(WORTH)}"
        )
        check("rate", self.rate, 0.0 < self.rate <= 1000.0, "above 0, at most 1000 a card and day")
        for name in ("refunds", "reversals", "declined"):
            check(name, share := getattr(self, name), 0.0 <= share <= 0.5, "from 0 to 0.5")

    @property
    def start_ms(self) -> int:
        """Return the event time of day 0, 00:00 UTC."""
        return int(datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC).timestamp()) * 1000


def requested(request: Request) -> Options:
    """Return the options that were asked for. Raises ValueError, naming what is wrong."""
    sizes = {
        "cards": request.subjects,
        "terminals": request.counterparts,
        "fraud_rate": request.positive_rate,
        "rate": request.rate,
        "withdrawn_rate": request.withdrawn_rate,
        **dict(map(parse_kind, request.kinds)),
    }
    return Options(
        start=request.start,
        seed=request.seed,
        drifts=tuple(map(parse_drift, request.drifts)),
        faults=tuple(map(parse_fault, request.faults)),
        currencies=request.units or (REFERENCE,),
        **{name: value for name, value in sizes.items() if value is not None},  # type: ignore[arg-type] # each of its field's type
    )


#: By kind on the wire, the option that says how many there are.
KINDS: dict[str, str] = {"refund": "refunds", "reversal": "reversals", "declined": "declined"}


def parse_kind(text: str) -> tuple[str, float]:
    """Read ``KIND=SHARE`` as an option and its value. Raises ValueError, naming the part that is wrong."""
    spec, example = f"--kind {text}", "refund=0.02"
    name, equals, share = text.partition("=")
    if not equals:
        raise ValueError(f"{spec}: write KIND=SHARE, as in {example}")
    if name not in KINDS:
        raise ValueError(f"{spec}: there is no kind {name!r}; choose from {', '.join(KINDS)}")
    value = number(share, "the share", spec, example)
    if value > 0.5:
        raise ValueError(f"{spec}: the share is {share}; it must be from 0 to 0.5 of the purchases")
    return KINDS[name], value


def parse_drift(text: str) -> Drift:
    """Read ``amounts=FACTOR@DAY`` or ``pattern:NAME=on|off@DAY``. Raises ValueError, naming the part that is wrong."""
    spec = f"--drift {text}"
    example = "amounts=1.6@40 or pattern:stolen_card=off@45"
    name, equals, rest = text.partition("=")
    value, at, day_text = rest.partition("@")
    if not equals or not at:
        raise ValueError(f"{spec}: write NAME=VALUE@DAY, as in {example}")
    day = number(day_text, "the day", spec, example)
    if name == "amounts":
        factor = number(value, "the factor", spec, example)
        if not 0 < factor <= 100:
            raise ValueError(f"{spec}: the factor is {value}; it must be above 0, at most 100")
        return AmountDrift(factor, day)
    if name.startswith("pattern:"):
        wanted = name.removeprefix("pattern:")
        for pattern in PATTERNS:
            if pattern == wanted:
                if value not in ("on", "off"):
                    raise ValueError(f"{spec}: the value is {value!r}; a pattern is switched on or off")
                return PatternDrift(pattern, value == "on", day)
        raise ValueError(f"{spec}: there is no pattern {wanted!r}; choose from {', '.join(PATTERNS)}")
    raise ValueError(f"{spec}: there is no drift {name!r}; choose amounts or pattern:NAME, as in {example}")


def parse_fault(text: str) -> Fault:
    """Read ``KIND@DAY:DAYS``; one day where DAYS is left out. Raises ValueError, naming the part that is wrong."""
    spec = f"--fault {text}"
    example = "amount_unit@50:1"
    kind, at, rest = text.partition("@")
    if not at:
        raise ValueError(f"{spec}: write KIND@DAY:DAYS, as in {example}")
    day_text, colon, days_text = rest.partition(":")
    day = number(day_text, "the day", spec, example)
    days = number(days_text, "the number of days", spec, example) if colon else 1.0
    if days == 0:
        raise ValueError(f"{spec}: the number of days is 0; a fault must last")
    for known in FAULTS:
        if known == kind:
            return Fault(known, day, days)
    raise ValueError(f"{spec}: there is no fault {kind!r}; choose from {', '.join(FAULTS)}")
