"""What the history says of an event that is its subject's newest: by the running sums, and a look at its last day."""

from __future__ import annotations

import numpy as np

from features.base.compiled import compiled_inside
from features.catalogue.windows import LENGTHS
from features.history.findings import Walk, decayed, high, of_the_last, spread
from features.history.median import robust
from features.history.row_layout import (
    HIGHEST,
    LANES,
    LONG,
    LOW,
    NEWEST_HIGH,
    ROW,
    SHORT,
    TOTAL,
    XX,
    XY,
    YY,
    History,
    Segment,
    age,
    measure_of,
    segment,
    window,
)
from features.history.running_sums import BELOW, SPLIT, come, lanes_of, leave

_LENGTHS = np.array(LENGTHS, dtype=np.int64)


@compiled_inside
def go_on(h: History, slot: int, last: int, w: Walk) -> None:
    """Fill ``w``; set the ratio and the flag HIGH_MEASURE of row ``last``."""
    subject, sums = segment(h, slot), h.subjects[slot]
    leave(sums, subject, last)
    first = sums[window(LONG - 1) + ROW]
    newest_high = sums[NEWEST_HIGH]
    robust(h, slot, subject, first, last, sums[window(LONG - 1) + HIGHEST], w)
    _sum_last_day(subject, max(sums[window(0) + ROW], 0), last, w)
    come(sums, subject, last)
    measure = measure_of(subject, last)
    my_x, my_y = measure >> SPLIT, measure & BELOW
    for k in range(LONG):
        s = sums[window(k) : window(k + 1)]
        n = last - s[ROW] + 1
        upper = (s[TOTAL] - s[LOW]) >> SPLIT
        lower = s[LOW]
        xx, xy, yy = s[XX], s[XY], s[YY]
        at = SHORT + k
        w.counts[at], w.total[at], w.highest[at] = n, s[TOTAL], s[HIGHEST]
        w.lanes[at] = s[LANES]
        w.spread[at] = spread(n, upper, lower, xx, xy, yy)
        w.others[at] = spread(n - 1, upper - my_x, lower - my_y, xx - my_x * my_x, xy - my_x * my_y, yy - my_y * my_y)
    of_the_last(subject, first, last, w)
    decayed(subject, sums[window(0) + ROW], last, w)
    high(subject, first, last, newest_high, w)


@compiled_inside
def _sum_last_day(subject: Segment, lo: int, last: int, w: Walk) -> None:
    """Sum up the windows up to a day, row by row."""
    total = lanes = low = xx = xy = yy = highest = np.int64(0)
    measure = measure_of(subject, last)
    my_x, my_y = measure >> SPLIT, measure & BELOW
    j = last
    for k in range(SHORT):
        before = j
        while j >= lo and age(subject, j) < _LENGTHS[k]:
            a = measure_of(subject, j)
            x, y = a >> SPLIT, a & BELOW
            total += a
            low += y
            xx += x * x
            xy += x * y
            yy += y * y
            highest = np.int64(max(highest, a))
            lanes += lanes_of(np.int64(subject.flags[j]))
            j -= 1
        n = last - j
        w.counts[k], w.total[k], w.highest[k], w.lanes[k] = n, total, highest, lanes
        if k > 0 and j == before:
            w.spread[k], w.others[k] = w.spread[k - 1], w.others[k - 1]
            continue
        high = (total - low) >> SPLIT
        w.spread[k] = spread(n, high, low, xx, xy, yy)
        w.others[k] = spread(n - 1, high - my_x, low - my_y, xx - my_x * my_x, xy - my_x * my_y, yy - my_y * my_y)
