"""Exact running counts of what a producer can get wrong: measures, places, modes, flags."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN, ROLES
from features.catalogue import vector
from streams.drift.data.columns import MODE_NAMES, mode_codes

#: Measures are counted in bins of 50 a decade from 0.01 to 10^9: a quantile is right within 5 %.
_BINS_PER_DECADE = 50
_LOWEST = -2
_BINS = 11 * _BINS_PER_DECADE

_COLUMNS = DOMAIN.columns
MEASURE = vector.INDEX[_COLUMNS.measure]
_LOCATED = None if _COLUMNS.located is None else vector.INDEX[_COLUMNS.located]
_FLAG = None if _COLUMNS.flag is None else vector.INDEX[_COLUMNS.flag]

#: Fields of an event, by their names on the wire, that a producer may leave out and whose presence the vector shows.
OPTIONAL: tuple[str, ...] = tuple(
    name
    for name, shown in (
        (ROLES.place and ROLES.place[0], _LOCATED is not None),
        (ROLES.mode, bool(MODE_NAMES)),
        (ROLES.flag, _FLAG is not None),
    )
    if name is not None and shown
)


class Counts:
    """Counts over rows of the vector. Adding is exact and does not depend on the order."""

    def __init__(self) -> None:
        self.rows = 0
        self.measures: NDArray[np.int64] = np.zeros(_BINS, dtype=np.int64)
        #: Rows by entry mode, in the order of MODE_NAMES; the last one is unknown.
        self.modes: NDArray[np.int64] = np.zeros(len(MODE_NAMES) + 1, dtype=np.int64)
        self.located = 0
        self.flagged = 0

    def add(self, features: NDArray[np.float32]) -> None:
        """Count the rows of ``features`` [n, WIDTH]."""
        self.rows += len(features)
        logs = np.log10(np.maximum(features[:, MEASURE], 10.0**_LOWEST))
        bins = np.clip((logs - _LOWEST) * _BINS_PER_DECADE, 0, _BINS - 1).astype(np.intp)
        self.measures += np.bincount(bins, minlength=_BINS)
        self.modes += np.bincount(mode_codes(features), minlength=len(self.modes))
        if _LOCATED is not None:
            self.located += int(np.count_nonzero(features[:, _LOCATED] > 0))
        if _FLAG is not None:
            self.flagged += int(np.count_nonzero(features[:, _FLAG] >= 0))

    def merge(self, other: Counts) -> None:
        self.rows += other.rows
        self.measures += other.measures
        self.modes += other.modes
        self.located += other.located
        self.flagged += other.flagged

    def measure(self, quantile: float) -> float:
        """Return a quantile of the measures in units; nan without rows, for then there is none."""
        if self.rows == 0:
            return float("nan")
        position = int(np.searchsorted(np.cumsum(self.measures), quantile * self.rows))
        return float(10.0 ** ((position + 0.5) / _BINS_PER_DECADE + _LOWEST))

    def known_share(self, field: str) -> float:
        """Return the share of rows in which ``field``, one of OPTIONAL, is known; nan without rows."""
        if self.rows == 0:
            return float("nan")
        if field == ROLES.mode:
            return (self.rows - int(self.modes[-1])) / self.rows
        return (self.flagged if field == ROLES.flag else self.located) / self.rows


def count(features: NDArray[np.float32]) -> Counts:
    """Count ``features`` [n, WIDTH]."""
    counts = Counts()
    counts.add(features)
    return counts
