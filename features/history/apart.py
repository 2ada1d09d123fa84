"""Events of other kinds than the first: they lie in a slot beside their subject's, and are counted by kind and window.

A subject gets that slot with its first such event; most have none. What is kept there is what is kept of a history: the newest
``MAX_ROWS`` rows, younger than ``KEEP_MS`` before its newest. Of a row only time, measure and kind are read.
"""

from __future__ import annotations

import math

import numpy as np

from features.base.compiled import compiled
from features.catalogue.windows import KEEP_MS, LENGTHS, MAX_ROWS
from features.history.arrival import Rows, make_room, slot_of
from features.history.findings import APART_COUNT, APART_TOTAL, Walk
from features.history.row_layout import (
    KIND_BIT,
    LENGTH,
    MARKS,
    NEWEST,
    SWEPT,
    VALID,
    History,
    age,
    copy_rows,
    measure_of,
    put_measure,
    put_time,
    segment,
)

_LENGTHS = np.array(LENGTHS, dtype=np.int64)


@compiled
def take_apart(h: History, slot: int, rows: Rows, i: int, w: Walk) -> None:
    """Count the rows of ``slot`` (0: there are none) by kind in the windows of row ``i``.

    Where that is of another kind itself, it is put there first and counts.
    """
    if w.filled[0] != 0:
        _clear(w)
    if rows.kind[i] > 0:
        slot = _put(h, slot, rows, i)
    elif slot == 0:
        return
    _count(h, slot, rows.time[i], w)


@compiled
def _put(h: History, slot: int, rows: Rows, i: int) -> int:
    """Put row ``i``, of another kind, into ``slot`` at its event time, after ties.

    Return the slot in which it lies: ALONE, with nothing else, where it comes too late for what is kept.
    """
    time = rows.time[i]
    slot = slot_of(h, slot, time)
    make_room(h, slot, time)
    sums = h.subjects[slot]
    end = sums[LENGTH]
    newest = time if end == 0 else max(time, sums[NEWEST])
    sums[NEWEST] = newest
    if end == 0:
        sums[SWEPT] = time
    sums[LENGTH] = end + 1
    sums[VALID] = 0
    subject = segment(h, slot)
    place, late = end, newest - time
    while place > 0 and age(subject, place - 1) < late:
        copy_rows(subject, place - 1, subject, place, 1)
        place -= 1
    put_time(subject, place, time, np.int64(rows.kind[i]) << KIND_BIT)
    put_measure(subject, place, rows.measure[i])
    subject.counterparts[place] = rows.counterpart[i]
    subject.ratios[place] = 0.0
    subject.latitudes[place] = subject.longitudes[place] = math.nan
    return slot


@compiled
def _clear(w: Walk) -> None:
    w.filled[0] = 0
    for what in range(w.apart.shape[0]):
        for kind in range(w.apart.shape[1]):
            for k in range(w.apart.shape[2]):
                w.apart[what, kind, k] = 0


@compiled
def _count(h: History, slot: int, time: int, w: Walk) -> None:
    subject, n = segment(h, slot), h.subjects[slot, LENGTH]
    lo = max(n - MAX_ROWS, 0)
    event_age = h.subjects[slot, NEWEST] - time
    row = n - 1
    while row >= lo and age(subject, row) < event_age:
        row -= 1
    for k in range(_LENGTHS.shape[0]):
        if k > 0:
            for kind in range(w.apart.shape[1]):
                w.apart[APART_COUNT, kind, k] = w.apart[APART_COUNT, kind, k - 1]
                w.apart[APART_TOTAL, kind, k] = w.apart[APART_TOTAL, kind, k - 1]
        # The oldest rows may or may not be held still: only a late event's windows reach that far.
        limit = min(event_age + _LENGTHS[k], KEEP_MS)
        while row >= lo and age(subject, row) < limit:
            other = ((np.int64(subject.flags[row]) & MARKS) >> KIND_BIT) - 1
            w.apart[APART_COUNT, other, k] += 1
            w.apart[APART_TOTAL, other, k] += measure_of(subject, row)
            w.filled[0] = 1
            row -= 1
