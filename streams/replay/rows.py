"""Rows of a file to card payments: what each column of the map becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.base.active import DOMAIN, ROLES
from features.domains.card_fraud.currencies import PLACES
from streams.publish.batch import Events
from streams.replay import columns
from streams.replay.errors import ReplayError
from streams.replay.mapping import HANDBOOK, Field, resolve

_MOST_PATTERNS = 100
#: What the ground truth calls each pattern.
PATTERNS = ("genuine", *(f"scenario_{i}" for i in range(1, _MOST_PATTERNS + 1)))
_MOST_MINOR = 1_000_000_000_00


class FileColumns:
    """The columns of one file by field. ``currency`` holds where the file has no column for it.

    Raises ReplayError for a currency that is none.
    """

    def __init__(self, mapping: Mapping[Field, str] = HANDBOOK, currency: str = "EUR") -> None:
        if not _is_currency(currency):
            raise ReplayError(f"--currency is {currency!r}; write one of ISO 4217, three capital letters as in EUR")
        self._wanted, self._currency = dict(mapping), currency
        self._have: dict[Field, str] = {}

    def open(self, names: Sequence[str], file: str) -> None:
        """Find the columns in a file that has ``names``. Raises ReplayError where one is missing."""
        self._have = resolve(self._wanted, names, file)

    @property
    def time(self) -> str:
        """Return the column of event time."""
        return self._have["event_time"]

    @property
    def names(self) -> list[str]:
        """Return the columns to read."""
        return sorted(set(self._have.values()))

    def events(self, table: pa.Table, times: NDArray[np.int64]) -> Events:
        """Return the payments of the table's rows, at ``times`` (epoch ms [n]). Raises ReplayError, naming the column."""
        n, have = table.num_rows, self._have

        def of(field: Field) -> pa.Array:
            return column_of(table, have[field])

        none = np.full(n, None, dtype=object)
        nowhere = np.full(n, np.nan)
        unknown = np.full(n, -1, dtype=np.int8)
        currency = columns.text(of("currency")) if "currency" in have else np.full(n, self._currency, dtype=object)
        modes = ROLES.modes
        return Events(
            event_id=columns.ids(of("transaction_id"), have["transaction_id"]),
            event_time_ms=times,
            subject=columns.ids(of("card_id"), have["card_id"]),
            counterpart=columns.ids(of("terminal_id"), have["terminal_id"]),
            measure=self._amounts(of("amount"), currency),
            others={
                "currency": currency,
                "latitude": columns.degrees(of("latitude"), have["latitude"], 90.0) if "latitude" in have else nowhere,
                "longitude": columns.degrees(of("longitude"), have["longitude"], 180.0) if "longitude" in have else nowhere,
                "country": columns.text(of("country")) if "country" in have else none,
                "category": columns.text(of("merchant_category")) if "merchant_category" in have else none,
                "mode": columns.choices(of("entry_mode"), have["entry_mode"], "entry_mode", modes)
                if "entry_mode" in have
                else unknown,
                "flag": columns.answers(of("pin_used"), have["pin_used"]) if "pin_used" in have else unknown,
                "kind": columns.choices(of("kind"), have["kind"], "kind", ROLES.kinds) if "kind" in have else unknown,
            },
        )

    def patterns(self, table: pa.Table) -> NDArray[np.int8]:
        """Return the place in PATTERNS of each row [n]: 0 for genuine ones, and where the file does not say."""
        pattern = np.zeros(table.num_rows, dtype=np.int8)
        if "is_fraud" not in self._have:
            return pattern
        fraud = columns.flags(column_of(table, self._have["is_fraud"]), self._have["is_fraud"])
        kind = np.ones(table.num_rows)
        if "pattern" in self._have and pa.types.is_integer((given := column_of(table, self._have["pattern"])).type):
            kind = np.clip(given.to_numpy(zero_copy_only=False), 1, _MOST_PATTERNS)
        pattern[fraud] = kind[fraud].astype(np.int8)
        if "kind" in self._have:
            # What is no purchase is no fraud, whatever the file says: nothing would take its label.
            pattern[columns.choices(column_of(table, self._have["kind"]), self._have["kind"], "kind", ROLES.kinds) > 0] = 0
        return pattern

    def _amounts(self, column: pa.Array, currency: NDArray[np.object_]) -> NDArray[np.int64]:
        """Return minor units [n], each by its own currency."""
        amounts = np.zeros(len(column), dtype=np.int64)
        for code in set(currency.tolist()):
            if not isinstance(code, str) or not _is_currency(code):
                raise ReplayError(f"column {self._have['currency']} holds {code!r}; write codes of ISO 4217, as in EUR")
            mine = currency == code
            amounts[mine] = minor_units(column.filter(pa.array(mine)), self._have["amount"], exponent(code))
        return amounts


def no_events() -> Events:
    """Return events without a payment."""
    text, whole = np.empty(0, dtype=object), np.empty(0, dtype=np.int64)
    real, small = np.empty(0, dtype=np.float64), np.empty(0, dtype=np.int8)
    others = {"currency": text, "latitude": real, "longitude": real, "country": text, "category": text}
    return Events(text, whole, text, text, whole, {**others, "mode": small, "flag": small, "kind": small})


def column_of(table: pa.Table, name: str) -> pa.Array:
    """Return a column of the table in one piece."""
    chunked = table.column(name)
    return chunked.chunk(0) if chunked.num_chunks == 1 else pa.concat_arrays(chunked.chunks)


def _is_currency(text: str) -> bool:
    return text in PLACES


def exponent(currency: str) -> int:
    """Return the decimal places of a currency's minor unit: 2 for EUR, 0 for JPY."""
    return PLACES.get(currency, 2)


def minor_units(column: pa.Array, name: str, places: int) -> NDArray[np.int64]:
    """Convert amounts in currency units to integers in minor units [n].

    Decimals and integers are exact; what has more than ``places`` decimals is refused there. A float stands for the decimal
    that prints as it, which rounding ``value * 10**places`` to the nearest integer finds for every amount below 10^13.
    """
    columns.no_nulls(column, name)
    scale = 10**places
    if pa.types.is_integer(column.type):
        values = np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)
        minor = np.clip(values, -1, _MOST_MINOR + 1) * scale
    elif pa.types.is_decimal(column.type):
        exact = [value * scale for value in column.to_pylist()]
        if any(value != value.to_integral_value() for value in exact):
            raise ReplayError(f"column {name} has amounts with more than {places} decimals; round them first")
        minor = np.array([int(min(max(value, Decimal(-1)), Decimal(_MOST_MINOR + 1))) for value in exact], dtype=np.int64)
    elif pa.types.is_floating(column.type):
        floats = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64) * scale
        if not np.isfinite(floats).all():
            raise ReplayError(f"column {name} has amounts that are not finite; leave these rows out")
        minor = np.rint(np.clip(floats, -1.0, float(_MOST_MINOR + 1))).astype(np.int64)
    else:
        raise ReplayError(f"column {name} is of type {column.type}; amount must be a number in currency units")
    if (minor < 0).any():
        raise ReplayError(
            f"column {name} has amounts below 0; {DOMAIN.negative_hint}: in a column of the file, --map kind=COLUMN,"
            " with the amount without its sign"
        )
    if (minor > _MOST_MINOR).any():
        raise ReplayError(f"column {name} has amounts above a thousand million; leave these rows out")
    return np.asarray(minor, dtype=np.int64)
