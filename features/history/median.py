"""The median of a subject's earlier measures, exactly, and the mean of the ordinary ones among them.

Both take a pass or two over the measures. Where none is above 2^31 minor units, their low 32 bits are all there is to them: a
processor compares eight of these at once, and a history of 200 rows is 13 cache lines. (Holding the measures in order instead, so
that the median is a look-up, saves no time: finding a place in that order is a chain of cache misses.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled, compiled_inside
from features.catalogue.formulas import HIGH, robust_mean
from features.history.findings import MEDIAN, RATIO, Walk
from features.history.row_layout import GUESS, HIGH_MEASURE, History, Segment, measure_of

_NARROW = 2**31 - 1
_EVERYTHING = 2**63 - 1
_STEPS = 8


@compiled_inside
def robust(h: History, slot: int, subject: Segment, first: int, last: int, highest: int, w: Walk) -> None:
    """Set the median of the rows before ``last``, and the event's ratio to their robust mean.

    No measure of these rows is above ``highest``. The ratio is rounded to float32, as it is kept.
    """
    median, total, count = ordinary(h, slot, subject, first, last, highest, w)
    ratio = np.float32(measure_of(subject, last) / robust_mean(total, count))
    subject.ratios[last] = ratio
    if ratio > HIGH:
        subject.flags[last] |= HIGH_MEASURE
    w.rest[MEDIAN], w.rest[RATIO] = median, ratio


@compiled_inside
def ordinary(
    h: History, slot: int, subject: Segment, first: int, last: int, highest: int, w: Walk
) -> tuple[float, np.int64, np.int64]:
    """Return the median of the rows before ``last``, and sum and number of the measures up to HIGH medians among them."""
    n = last - first
    median = 0.0
    total = count = np.int64(0)
    if n > 0:
        guess = h.subjects[slot, GUESS]
        if highest < _NARROW:
            narrow = subject.measures[first:last]
            near = np.int32(min(int(guess), _NARROW))
            small, large = medians(narrow, near, np.int32(-1), np.int32(_NARROW))
            low, high = np.int64(small), np.int64(large)
            median = (low + high) / 2.0
            limit = np.int32(min(int(HIGH * median), _NARROW))
            if highest * n <= _NARROW:
                total, count = _up_to(narrow, limit, np.int32(0))
            else:
                total, count = _up_to(narrow, limit, np.int64(0))
        else:
            for j in range(n):
                w.measures[j] = measure_of(subject, first + j)
            wide = w.measures[:n]
            low, high = medians(wide, guess, np.int64(-1), np.int64(_EVERYTHING))
            median = (low + high) / 2.0
            total, count = _up_to(wide, np.int64(HIGH * median), np.int64(0))
        h.subjects[slot, GUESS] = low
    return median, total, count


@compiled
def _up_to(values: NDArray[np.int64], limit: np.int64, nothing: np.int64) -> tuple[np.int64, np.int64]:
    """Return sum and number of the values up to ``limit``, summed in the type of ``nothing``, a zero."""
    total = count = nothing
    for j in range(values.shape[0]):
        a = values[j]
        total = type(nothing)(total + (a if a <= limit else type(a)(0)))
        count = type(nothing)(count + (a <= limit))
    return np.int64(total), np.int64(count)


@compiled
def medians(values: NDArray[np.int64], guess: np.int64, least: np.int64, most: np.int64) -> tuple[np.int64, np.int64]:
    """Return the two middle ones of ``values`` [n >= 1] (the same twice for an odd n), exactly.

    All lie between ``least`` and ``most``, and all four have the same type, int64 or int32.

    One pass counts what lies below ``guess`` and finds its neighbours; from one event of a subject to the next the median moves
    by a rank at most, so one or two passes do. After _STEPS of them the range that is left is halved with each pass.
    """
    n = values.shape[0]
    first, second = (n - 1) // 2, n // 2
    lowest, highest = np.int64(0), np.int64(most)
    x = guess
    steps = 0
    while True:
        # Counted in the type of the values, so that as many are counted at once as are compared.
        below = equal = type(x)(0)
        under, above = least, most
        for j in range(n):
            a = values[j]
            below = type(x)(below + (a < x))
            equal = type(x)(equal + (a == x))
            under = max(under, a if a < x else least)
            above = min(above, a if a > x else most)
        if first < below - 1:
            x = under
            highest = np.int64(x)
        elif second > below + equal:
            x = above
            lowest = np.int64(x)
        else:
            return _at(first, below, equal, under, x, above), _at(second, below, equal, under, x, above)
        steps += 1
        if steps > _STEPS:
            x = type(x)(lowest + (highest - lowest) // 2)


@compiled_inside
def _at(rank: int, below: int, equal: int, under: np.int64, x: np.int64, above: np.int64) -> np.int64:
    if rank < below:
        return under
    return x if rank < below + equal else above
