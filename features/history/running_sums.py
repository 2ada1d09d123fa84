"""Running sums over a subject's long windows: what an event that comes in order adds to, and takes away from, what was known.

All sums are integers, so that adding and taking away is exact: the results are those of walking back through the history, to the
bit. An event that comes late is answered by that walk (``features.history.late``), and the sums are made anew for the next one.

A subject's running sums are columns of its row of ``History.subjects`` (``features.history.row_layout``), here ``s``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled, compiled_inside
from features.catalogue.windows import LENGTHS, MAX_ROWS
from features.history.row_layout import (
    HIGH_MEASURE,
    HIGHEST,
    LANES,
    LONG,
    LOW,
    NEWEST_HIGH,
    NEWEST_USE,
    ROW,
    SHORT,
    TOTAL,
    VALID,
    XX,
    XY,
    YY,
    Segment,
    age,
    measure_of,
    window,
)

_LONG_MS = np.array(LENGTHS[SHORT:], dtype=np.int64)

#: A measure is 2^SPLIT x + y: a square can need 74 bits, so x^2, x y and y^2 are summed apart.
SPLIT = 20
BELOW = (1 << SPLIT) - 1
LANE_BITS = 12
LANE_MASK = (1 << LANE_BITS) - 1


@compiled_inside
def lanes_of(flags: int) -> int:
    """Return the first five flags of ``features.history.row_layout``, each in a lane of twelve bits: sums of them count five
    flags at once."""
    lanes: int = flags & 1
    for bit in range(1, 5):
        lanes |= (flags & 1 << bit) << (LANE_BITS - 1) * bit
    return lanes


@compiled_inside
def _add(s: NDArray[np.int64], at: int, measure: int, flags: int, sign: int) -> None:
    x, y = measure >> SPLIT, measure & BELOW
    s[at + TOTAL] += sign * measure
    s[at + LOW] += sign * y
    s[at + XX] += sign * x * x
    s[at + XY] += sign * x * y
    s[at + YY] += sign * y * y
    s[at + LANES] += sign * lanes_of(flags)


@compiled
def begin(s: NDArray[np.int64], subject: Segment, rows: int, late: int) -> None:
    """Make the sums anew, as of the last of the first ``rows`` rows, which is ``late`` ms older than the subject's newest."""
    s[window(0) : window(LONG)] = 0
    s[VALID] = 1
    s[NEWEST_HIGH] = -1
    if rows == 0:
        return
    for k in range(LONG):
        at = window(k)
        first = rows - 1
        while first > max(rows - MAX_ROWS, 0) and age(subject, first - 1) < late + _LONG_MS[k]:
            first -= 1
        s[at + ROW] = first
        for j in range(first, rows):
            measure = measure_of(subject, j)
            _add(s, at, measure, np.int64(subject.flags[j]), 1)
            s[at + HIGHEST] = max(s[at + HIGHEST], measure)
    for j in range(s[window(LONG - 1) + ROW], rows):
        if subject.flags[j] & HIGH_MEASURE:
            s[NEWEST_HIGH] = j


@compiled_inside
def leave(s: NDArray[np.int64], subject: Segment, last: int) -> None:
    """Take away the rows that are in no window of the event at row ``last``, the newest, any more."""
    for k in range(LONG):
        at = window(k)
        row = s[at + ROW]
        again = False
        while row < last and (age(subject, row) >= _LONG_MS[k] or row <= last - MAX_ROWS):
            measure = measure_of(subject, row)
            _add(s, at, measure, np.int64(subject.flags[row]), -1)
            again |= measure == s[at + HIGHEST]
            row += 1
        s[at + ROW] = row
        if again:
            s[at + HIGHEST] = _highest(subject, row, last)
    if s[NEWEST_HIGH] < s[window(LONG - 1) + ROW]:
        s[NEWEST_HIGH] = -1


@compiled_inside
def come(s: NDArray[np.int64], subject: Segment, last: int) -> None:
    """Add the event at row ``last`` to all windows."""
    measure, flags = measure_of(subject, last), np.int64(subject.flags[last])
    for k in range(LONG):
        at = window(k)
        _add(s, at, measure, flags, 1)
        s[at + HIGHEST] = max(s[at + HIGHEST], measure)
    if flags & HIGH_MEASURE:
        s[NEWEST_HIGH] = last


@compiled_inside
def no_longer_newest(s: NDArray[np.int64], row: int) -> None:
    """Count one counterpart less in the windows that hold ``row``, which lost its flag NEWEST_USE."""
    for k in range(LONG):
        at = window(k)
        if row >= s[at + ROW]:
            s[at + LANES] -= NEWEST_USE


@compiled
def _highest(subject: Segment, begin: int, end: int) -> int:
    highest = np.int64(0)
    for j in range(begin, end):
        highest = max(highest, measure_of(subject, j))
    return int(highest)
