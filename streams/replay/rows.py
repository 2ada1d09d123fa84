"""Rows of a file to card payments: what each column of the map becomes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.base.active import ROLES
from features.domains.card_fraud.currencies import PLACES
from streams.publish.batch import Events
from streams.publish.limits import first_wrong
from streams.replay.cells import Column
from streams.replay.errors import ReplayError
from streams.replay.instants import times
from streams.replay.mapping import Field, Mapping, field_of, parse_map, resolve
from streams.replay.money import minor_units, negative, stripped, unsigned
from streams.replay.numbers import answers, choices, degrees, flags, floats
from streams.replay.pieces import Piece
from streams.replay.rules import Rule, apply
from streams.replay.texts import ids, text

_MOST_PATTERNS = 100
#: What the ground truth calls each pattern.
PATTERNS = ("genuine", *(f"scenario_{i}" for i in range(1, _MOST_PATTERNS + 1)))


class FileColumns:
    """The columns of one file by field. ``currency`` holds where the file has no column for it.

    Raises ReplayError for a currency that is none.
    """

    def __init__(self, mapping: Mapping | None = None, currency: str = "EUR") -> None:
        if not _is_currency(currency):
            raise ReplayError(f"--currency is {currency!r}; write one of ISO 4217, three capital letters as in EUR")
        self._wanted, self._currency = mapping or parse_map([]), currency
        self._have: dict[Field, Rule] = {}

    def open(self, names: Sequence[str], file: str) -> None:
        """Find the columns in a file that has ``names``. Raises ReplayError where one is missing."""
        self._have = resolve(self._wanted, names, file)

    def described(self) -> dict[str, str]:
        """Return what the events depend on besides the file, as texts by name."""
        return {**self._wanted.described(), "--currency": self._currency}

    @property
    def time(self) -> Rule:
        """Return the rule of event time."""
        return self._have["event_time"]

    @property
    def names(self) -> list[str]:
        """Return the columns to read."""
        return sorted({name for rule in self._have.values() for name in rule.needs})

    def times(self, piece: Piece) -> NDArray[np.int64]:
        """Return epoch ms of each row [n]. Raises ReplayError, naming column and row."""
        rule = self.time
        return times(apply(rule, piece.table, piece.rows), rule.unit, rule.since_ms, rule.layout)

    def skipped(self, piece: Piece) -> NDArray[np.bool_]:
        """Tell which rows are to be left out, because the mapping says so [n]."""
        if self._have["amount"].below_zero != "skip":
            return np.zeros(len(piece.rows), dtype=np.bool_)
        return negative(self._number("amount", piece))

    def events(self, piece: Piece, event_times: NDArray[np.int64]) -> Events:
        """Return the payments of the rows, at ``event_times`` (epoch ms [n]).

        Raises ReplayError, naming column and row, where a value is none that the scorer would take.
        """
        n, have = len(piece.rows), self._have

        def of(field: Field) -> Column:
            return apply(have[field], piece.table, piece.rows)

        none = np.full(n, None, dtype=object)
        nowhere = np.full(n, np.nan)
        unknown = np.full(n, -1, dtype=np.int8)
        currency = text(of("currency")) if "currency" in have else np.full(n, self._currency, dtype=object)
        made = Events(
            event_id=ids(of("transaction_id")),
            event_time_ms=event_times,
            subject=ids(of("card_id")),
            counterpart=ids(of("terminal_id")),
            measure=self._amounts(piece, currency),
            others={
                "currency": currency,
                "latitude": degrees(self._number("latitude", piece), 90.0) if "latitude" in have else nowhere,
                "longitude": degrees(self._number("longitude", piece), 180.0) if "longitude" in have else nowhere,
                "country": text(of("country")) if "country" in have else none,
                "category": text(of("merchant_category")) if "merchant_category" in have else none,
                "mode": choices(of("entry_mode"), "entry_mode", ROLES.modes) if "entry_mode" in have else unknown,
                "flag": answers(of("pin_used")) if "pin_used" in have else unknown,
                "kind": self._kinds(piece),
            },
        )
        wrong = first_wrong(made)
        if wrong is not None:
            field = field_of(wrong.name)
            name = have[field].name if field in have else field
            raise ReplayError(f"column {name}, row {int(piece.rows[wrong.row]):,}: the {field} {wrong.why}")
        return made

    def patterns(self, piece: Piece) -> NDArray[np.int8]:
        """Return the place in PATTERNS of each row [n]: 0 for genuine ones, and where the file does not say."""
        pattern = np.zeros(len(piece.rows), dtype=np.int8)
        if "is_fraud" not in self._have:
            return pattern
        fraud = flags(apply(self._have["is_fraud"], piece.table, piece.rows))
        kind = np.ones(len(piece.rows))
        if "pattern" in self._have:
            given = apply(self._have["pattern"], piece.table, piece.rows)
            if pa.types.is_integer(given.array.type) or pa.types.is_floating(given.array.type):
                kind = np.clip(np.nan_to_num(floats(given), nan=1.0), 1, _MOST_PATTERNS)
        pattern[fraud] = kind[fraud].astype(np.int8)
        # What is no purchase is no fraud, whatever the file says: nothing would take its label.
        pattern[self._kinds(piece) > 0] = 0
        return pattern

    def _kinds(self, piece: Piece) -> NDArray[np.int8]:
        """Return places in ``ROLES.kinds`` [n], -1 where the file does not say."""
        kinds = np.full(len(piece.rows), -1, dtype=np.int8)
        if "kind" in self._have:
            kinds = choices(apply(self._have["kind"], piece.table, piece.rows), "kind", ROLES.kinds).copy()
        if self._have["amount"].below_zero == "refund":
            kinds[negative(self._number("amount", piece))] = ROLES.kinds.index("refund")
        return kinds

    def _number(self, field: Field, piece: Piece) -> Column:
        rule = self._have[field]
        return stripped(apply(rule, piece.table, piece.rows), rule.strip, rule.decimal)

    def _amounts(self, piece: Piece, currency: NDArray[np.object_]) -> NDArray[np.int64]:
        """Return minor units [n], each by its own currency."""
        places = {code: exponent(code) if isinstance(code, str) else 0 for code in set(currency.tolist())}
        for code in places:
            if not isinstance(code, str) or not _is_currency(code):
                at = int(np.flatnonzero(currency == code)[0]) if code is not None else currency.tolist().index(None)
                raise ReplayError(
                    f"column {self._have['currency'].name}, row {int(piece.rows[at]):,}: "
                    f"{'the value is missing' if code is None else repr(code)}; write codes of ISO 4217, as in EUR"
                )
        of_rows = np.fromiter((places[code] for code in currency.tolist()), dtype=np.int64, count=len(currency))
        amounts, rule = self._number("amount", piece), self._have["amount"]
        return minor_units(unsigned(amounts) if rule.below_zero == "refund" else amounts, of_rows, rule.rounded)


def no_events() -> Events:
    """Return events without a payment."""
    text, whole = np.empty(0, dtype=object), np.empty(0, dtype=np.int64)
    real, small = np.empty(0, dtype=np.float64), np.empty(0, dtype=np.int8)
    others = {"currency": text, "latitude": real, "longitude": real, "country": text, "category": text}
    return Events(text, whole, text, text, whole, {**others, "mode": small, "flag": small, "kind": small})


def _is_currency(text: str) -> bool:
    return text in PLACES


def exponent(currency: str) -> int:
    """Return the decimal places of a currency's minor unit: 2 for EUR, 0 for JPY."""
    return PLACES.get(currency, 2)
