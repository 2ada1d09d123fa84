"""What the history says of an event that comes late: look at every row of its windows."""

from __future__ import annotations

import numpy as np

from features.base.compiled import compiled
from features.catalogue.windows import DAY_MS, KEEP_MS, LENGTHS, MAX_ROWS
from features.history.findings import Walk, back, count_high, decayed, high, of_the_last, spread
from features.history.median import robust
from features.history.row_layout import LENGTH, History, Segment, age, measure_of, segment
from features.history.running_sums import BELOW, LANE_MASK, SPLIT, lanes_of

_LENGTHS = np.array(LENGTHS, dtype=np.int64)
_WEEK = LENGTHS.index(7 * DAY_MS)
_LONGEST = len(LENGTHS) - 1


@compiled
def walk_back(h: History, slot: int, last: int, w: Walk) -> None:
    """Fill ``w``; set the ratio and the flag HIGH_MEASURE of row ``last``."""
    subject = segment(h, slot)
    n = h.subjects[slot, LENGTH]
    lo = max(n - MAX_ROWS, 0)
    event_age = age(subject, last)
    j = last
    for k in range(_LENGTHS.shape[0]):
        # The subject's oldest rows may or may not be held still: only a late event's windows reach that far.
        j = back(subject, lo, j, min(event_age + _LENGTHS[k], KEEP_MS))
        w.counts[k] = last - j + 1
    _sum_up(subject, last, w)
    _count_counterparts(subject, last, w)
    of_the_last(subject, j, last, w)
    decayed(subject, last + 1 - w.counts[_WEEK], last, w)
    robust(h, slot, subject, j, last, w.highest[_LONGEST], w)
    _, newest = count_high(subject.flags[j:last])
    high(subject, j, last, newest + j if newest >= 0 else -1, w)


@compiled
def _sum_up(subject: Segment, last: int, w: Walk) -> None:
    """Set the sums by window. They are integers, so that it does not matter how a processor groups them."""
    total = lanes = low = xx = xy = yy = highest = np.int64(0)
    measure = measure_of(subject, last)
    my_x, my_y = measure >> SPLIT, measure & BELOW
    j = last
    for k in range(w.counts.shape[0]):
        n = w.counts[k]
        while j > last - n:
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
        upper = (total - low) >> SPLIT
        w.total[k], w.highest[k], w.lanes[k] = total, highest, lanes
        w.spread[k] = spread(n, upper, low, xx, xy, yy)
        w.others[k] = spread(n - 1, upper - my_x, low - my_y, xx - my_x * my_x, xy - my_x * my_y, yy - my_y * my_y)


@compiled
def _count_counterparts(subject: Segment, last: int, w: Walk) -> None:
    """Set the lanes of NEWEST_USE anew: rows behind the event in time have taken that flag from rows that it may count."""
    j = last
    distinct = 0
    for k in range(w.counts.shape[0]):
        stop = last - w.counts[k]
        while j > stop:
            later = j + 1
            while later <= last and subject.counterparts[later] != subject.counterparts[j]:
                later += 1
            distinct += later > last
            j -= 1
        w.lanes[k] = (w.lanes[k] & ~LANE_MASK) | distinct
