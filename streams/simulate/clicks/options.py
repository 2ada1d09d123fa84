"""What a simulated shop can be given: size, seed, drifts and faults, and how they are written on a command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, get_args

from streams.simulate.simulator import Request, check, number

FaultKind = Literal["dwell_unit", "surface_stuck"]
FAULTS: tuple[FaultKind, ...] = get_args(FaultKind)


@dataclass(frozen=True)
class DwellDrift:
    """From ``day`` on (offset from the start, fractions allowed) looks last ``factor`` times as long as at first."""

    factor: float
    day: float


@dataclass(frozen=True)
class Fault:
    """From ``day`` on, for ``days``, what the shop sends is wrong; what happened is not. ``dwell_unit``: seconds in place of
    milliseconds; ``surface_stuck``: always ``feed``."""

    kind: FaultKind
    day: float
    days: float


@dataclass(frozen=True)
class Options:
    """A simulated shop. Two with equal options give equal bytes. Raises ValueError, naming the field, where one is wrong."""

    users: int = 2000
    items: int = 500
    start: date = date(2026, 1, 5)
    seed: int = 7
    #: Share of clicks after which the item is bought.
    bought_rate: float = 0.05
    #: Mean number of clicks of a user in a day.
    rate: float = 4.0
    drifts: tuple[DwellDrift, ...] = ()
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        check("users", self.users, 1 <= self.users <= 1_000_000, "from 1 to 1000000")
        check("items", self.items, 40 <= self.items <= 100_000, "from 40 to 100000")
        check("start", self.start, 2000 <= self.start.year < 2090, "a date from 2000-01-01 to 2089-12-31")
        check("seed", self.seed, self.seed >= 0, "zero or more")
        check("bought_rate", self.bought_rate, 0.001 <= self.bought_rate <= 0.5, "from 0.001 to 0.5")
        check("rate", self.rate, 0.0 < self.rate <= 1000.0, "above 0, at most 1000 a user and day")

    @property
    def start_ms(self) -> int:
        """Return the event time of day 0, 00:00 UTC."""
        return int(datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC).timestamp()) * 1000


def requested(request: Request) -> Options:
    """Return the options that were asked for. Raises ValueError, naming what is wrong."""
    check("withdrawn_rate", request.withdrawn_rate, not request.withdrawn_rate, "0 in this world: what was bought stays bought")
    if request.units:
        raise ValueError(f"--unit {request.units[0]}: clicks name no unit; leave it out")
    if request.kinds:
        raise ValueError(f"--kind {request.kinds[0]}: clicks are of one kind; leave it out")
    sizes = {
        "users": request.subjects,
        "items": request.counterparts,
        "bought_rate": request.positive_rate,
        "rate": request.rate,
    }
    return Options(
        start=request.start,
        seed=request.seed,
        drifts=tuple(map(parse_drift, request.drifts)),
        faults=tuple(map(parse_fault, request.faults)),
        **{name: value for name, value in sizes.items() if value is not None},  # type: ignore[arg-type] # each of its field's type
    )


def parse_drift(text: str) -> DwellDrift:
    """Read ``dwell=FACTOR@DAY``. Raises ValueError, naming the part that is wrong."""
    spec, example = f"--drift {text}", "dwell=1.6@10"
    name, equals, rest = text.partition("=")
    factor, at, day = rest.partition("@")
    if name != "dwell" or not equals or not at:
        raise ValueError(f"{spec}: write dwell=FACTOR@DAY, as in {example}")
    value = number(factor, "the factor", spec, example)
    if not 0 < value <= 100:
        raise ValueError(f"{spec}: the factor is {factor}; it must be above 0, at most 100")
    return DwellDrift(value, number(day, "the day", spec, example))


def parse_fault(text: str) -> Fault:
    """Read ``KIND@DAY:DAYS``; one day where DAYS is left out. Raises ValueError, naming the part that is wrong."""
    spec, example = f"--fault {text}", "dwell_unit@10:1"
    kind, at, rest = text.partition("@")
    day, colon, days = rest.partition(":")
    lasts = number(days, "the number of days", spec, example) if colon else 1.0
    if not at or lasts == 0:
        raise ValueError(f"{spec}: write KIND@DAY:DAYS, as in {example}")
    for known in FAULTS:
        if known == kind:
            return Fault(known, number(day, "the day", spec, example), lasts)
    raise ValueError(f"{spec}: there is no fault {kind!r}; choose from {', '.join(FAULTS)}")
