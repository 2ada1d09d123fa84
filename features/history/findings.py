"""What is found in a subject's history for one event, and what of it is found in the same way whether the event is late or
not.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled, compiled_inside, compiled_without_nan
from features.catalogue.formulas import SHORTEST_S
from features.catalogue.geo import haversine_km
from features.catalogue.windows import DAY_MS, HOUR_MS, LENGTHS, MAX_ROWS
from features.history.row_layout import FIRST_USE, HIGH_MEASURE, OTHER_KINDS, Segment, age, measure_of
from features.history.running_sums import SPLIT

#: 2^-(age in days) by age in whole hours, for a week.
#: Not by numpy, whose last bit depends on the processor.
_DECAY = np.array([2.0 ** -(hours / 24.0) for hours in range(7 * 24)], dtype=np.float64)


class Walk(NamedTuple):
    """What is found: by window (``features.catalogue.windows``), and the rest in ``rest``, at the places named below.
    ``measures``: room for those of one history. ``apart``: by other kind and window, how many events of the subject
    (``APART_COUNT``) and the sum of their measures (``APART_TOTAL``), int64 [2, kinds, windows]; ``filled``: whether any of it is
    not zero.
    """

    counts: NDArray[np.int64]
    total: NDArray[np.int64]
    highest: NDArray[np.int64]
    lanes: NDArray[np.int64]
    spread: NDArray[np.float64]
    others: NDArray[np.float64]
    rest: NDArray[np.float64]
    measures: NDArray[np.int64]
    apart: NDArray[np.int64]
    filled: NDArray[np.int64]


APART_COUNT, APART_TOTAL = range(2)
SINCE_LAST, KM, SPEED, REPEAT, DECAYED_COUNT, DECAYED_TOTAL, MEDIAN, RATIO, RATIO_3D, RATIO_14D, HIGH_14D, SINCE_HIGH = range(12)


def new_walk() -> Walk:
    """Make room for one walk."""
    n = len(LENGTHS)
    return Walk(
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.float64),
        np.zeros(n, np.float64),
        np.zeros(12, np.float64),
        np.zeros(MAX_ROWS, np.int64),
        np.zeros((2, OTHER_KINDS, n), np.int64),
        np.zeros(1, np.int64),
    )


@compiled_inside
def back(subject: Segment, lo: int, row: int, limit: int) -> int:
    """Return the first row of ``[lo, row]`` with an age below ``limit``, where row ``row`` counts in any case."""
    step = 1
    while row - step >= lo and age(subject, row - step) < limit:
        row -= step
        step *= 2
    # This row is in; the first one lies in (row - step, row].
    bottom = max(row - step, lo - 1)
    while row - bottom > 1:
        middle = (row + bottom) // 2
        if age(subject, middle) < limit:
            row = middle
        else:
            bottom = middle
    return row


@compiled
def spread(n: int, high: int, low: int, xx: int, xy: int, yy: int) -> float:
    """Return ``n * sum(a^2) - sum(a)^2`` of n <= 2,048 measures below 2^37, from the sums of their parts
    (``features.history.running_sums.SPLIT``).

    The three differences fit into 64 bits each. They are added in 128 bits; upper and lower half are converted to float64 apart.
    """
    a, b, c = n * xx - high * high, n * xy - high * low, n * yy - low * low
    if a == 0 and b == 0:
        return float(c)
    # 2^40 a + 2^21 b + c, in two's complement.
    first_part = np.uint64(a) << np.uint64(2 * SPLIT)
    second_part = np.uint64(b) << np.uint64(SPLIT + 1)
    lower = first_part + second_part
    upper = (a >> (64 - 2 * SPLIT)) + (b >> (63 - SPLIT)) + (1 if lower < first_part else 0)
    lowest = lower + np.uint64(c)
    upper += 1 if lowest < lower else 0
    return float(upper) * 18446744073709551616.0 + float(lowest)


@compiled_inside
def of_the_last(subject: Segment, first: int, last: int, w: Walk) -> None:
    """Set time, distance and speed from the last row before the event at row ``last``, and whether its counterpart is known."""
    rest = w.rest
    event_age = age(subject, last)
    rest[SINCE_LAST] = (age(subject, last - 1) - event_age) / 1000.0 if last > first else -1.0
    rest[REPEAT] = 0.0 if subject.flags[last] & FIRST_USE else 1.0
    rest[KM] = rest[SPEED] = -1.0
    latitude, longitude = np.float64(subject.latitudes[last]), np.float64(subject.longitudes[last])
    if math.isnan(latitude) or math.isnan(longitude):
        return
    for j in range(last - 1, first - 1, -1):
        if not (math.isnan(subject.latitudes[j]) or math.isnan(subject.longitudes[j])):
            km = haversine_km(np.float64(subject.latitudes[j]), np.float64(subject.longitudes[j]), latitude, longitude)
            rest[KM] = km
            rest[SPEED] = km / max((age(subject, j) - event_age) / 1000.0, SHORTEST_S) * 3600.0
            return


@compiled_inside
def decayed(subject: Segment, week: int, last: int, w: Walk) -> None:
    """Set the decayed count and total of a week's rows, the event last; summed from the oldest on."""
    event_age = age(subject, last)
    count = total = 0.0
    for j in range(week, last + 1):
        weight = _DECAY[(age(subject, j) - event_age) // HOUR_MS]
        count += weight
        total += weight * measure_of(subject, j)
    w.rest[DECAYED_COUNT], w.rest[DECAYED_TOTAL] = count, total


@compiled_inside
def high(subject: Segment, first: int, last: int, newest: int, w: Walk) -> None:
    """Set the findings on high measures before the event. ``newest``: the last such row before it, -1 if there is none."""
    event_age = age(subject, last)
    day_14 = back(subject, first, last, event_age + 14 * DAY_MS)
    day_3 = back(subject, day_14, last, event_age + 3 * DAY_MS)
    w.rest[RATIO_3D] = _largest(subject.ratios[day_3:last])
    w.rest[RATIO_14D] = max(w.rest[RATIO_3D], _largest(subject.ratios[day_14:day_3]))
    w.rest[HIGH_14D] = count_high(subject.flags[day_14:last])[0] if newest >= day_14 else 0
    w.rest[SINCE_HIGH] = (age(subject, newest) - event_age) / DAY_MS if newest >= 0 else -1.0


@compiled_without_nan
def _largest(ratios: NDArray[np.float32]) -> float:
    """Return the largest ratio, 0 where there are none."""
    largest = np.float32(0.0)
    for j in range(ratios.shape[0]):
        largest = ratios[j] if ratios[j] > largest else largest
    return float(largest)


@compiled
def count_high(flags: NDArray[np.uint8]) -> tuple[np.int64, np.int64]:
    """Count the rows that have the flag HIGH_MEASURE; return that and the last one that has, -1 if none."""
    count, newest = np.int64(0), np.int64(-1)
    for j in range(flags.shape[0]):
        high = (flags[j] & HIGH_MEASURE) != 0
        count += high
        newest = max(newest, np.int64(j) if high else np.int64(-1))
    return count, newest
