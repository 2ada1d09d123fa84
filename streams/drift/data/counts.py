"""Exact running counts of what a producer can get wrong: amounts, places, entry modes, PIN."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from features.base import names
from features.base.events import Transaction
from features.catalogue import vector
from streams.drift.data.columns import ENTRY_NAMES, entry_codes

#: Amounts are counted in bins of 50 a decade from 0.01 to 10^9: a quantile is right within 5 %.
_BINS_PER_DECADE = 50
_LOWEST = -2
_BINS = 11 * _BINS_PER_DECADE

AMOUNT = vector.INDEX["amount"]
LOCATED = vector.INDEX["has_location"]
PIN = vector.INDEX["used_pin_number"]

#: Fields of the transaction that a producer may leave out, and whose presence the vector shows.
OptionalField = Literal["latitude", "entry_mode", "pin_used"]
OPTIONAL: tuple[OptionalField, ...] = get_args(OptionalField)
names.check(f"{__name__}.OPTIONAL", OPTIONAL, Transaction.__struct_fields__, "field of Transaction")


class Counts:
    """Counts over rows of the vector. Adding is exact and does not depend on the order."""

    def __init__(self) -> None:
        self.rows = 0
        self.amounts: NDArray[np.int64] = np.zeros(_BINS, dtype=np.int64)
        #: Rows by entry mode, in the order of ENTRY_NAMES; the last one is unknown.
        self.modes: NDArray[np.int64] = np.zeros(len(ENTRY_NAMES) + 1, dtype=np.int64)
        self.located = 0
        self.pin_known = 0

    def add(self, features: NDArray[np.float32]) -> None:
        """Count the rows of ``features`` [n, WIDTH]."""
        self.rows += len(features)
        logs = np.log10(np.maximum(features[:, AMOUNT], 10.0**_LOWEST))
        bins = np.clip((logs - _LOWEST) * _BINS_PER_DECADE, 0, _BINS - 1).astype(np.intp)
        self.amounts += np.bincount(bins, minlength=_BINS)
        self.modes += np.bincount(entry_codes(features), minlength=len(self.modes))
        self.located += int(np.count_nonzero(features[:, LOCATED] > 0))
        self.pin_known += int(np.count_nonzero(features[:, PIN] >= 0))

    def merge(self, other: Counts) -> None:
        self.rows += other.rows
        self.amounts += other.amounts
        self.modes += other.modes
        self.located += other.located
        self.pin_known += other.pin_known

    def amount(self, quantile: float) -> float:
        """Quantile of the amounts in currency units; nan without rows, for then there is none."""
        if self.rows == 0:
            return float("nan")
        position = int(np.searchsorted(np.cumsum(self.amounts), quantile * self.rows))
        return float(10.0 ** ((position + 0.5) / _BINS_PER_DECADE + _LOWEST))

    def known_share(self, field: OptionalField) -> float:
        """Share of rows in which ``field`` is known; nan without rows."""
        if self.rows == 0:
            return float("nan")
        known: dict[OptionalField, int] = {
            "latitude": self.located,
            "entry_mode": self.rows - int(self.modes[-1]),
            "pin_used": self.pin_known,
        }
        return known[field] / self.rows


def count(features: NDArray[np.float32]) -> Counts:
    """Counts of ``features`` [n, WIDTH]."""
    counts = Counts()
    counts.add(features)
    return counts
