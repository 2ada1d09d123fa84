"""An event comes: it is put into its subject's history at its event time, and its neighbours learn of its counterpart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled, compiled_inside
from features.catalogue.windows import KEEP_MS, LONGEST_MS, MAX_ROWS
from features.history.row_layout import (
    CAPACITY,
    FIRST_USE,
    LENGTH,
    NEWEST,
    NEWEST_USE,
    OLDEST_MS,
    SWEPT,
    VALID,
    History,
    Segment,
    age,
    copy_rows,
    drop_old,
    put_measure,
    put_time,
    segment,
)
from features.history.running_sums import begin, no_longer_newest

#: The slot of events that are no part of their subject's history.
ALONE = 0


class Rows(NamedTuple):
    """The columns of a batch as the compiled loop takes them, see ``features.transform.columns.Columns``."""

    time: NDArray[np.int64]
    measure: NDArray[np.int64]
    counterpart: NDArray[np.int32]
    latitude: NDArray[np.float32]
    longitude: NDArray[np.float32]
    mode: NDArray[np.int8]
    flag: NDArray[np.int8]
    kind: NDArray[np.int8]


@compiled_inside
def slot_of(h: History, slot: int, time: int) -> int:
    """Return the slot that an event at ``time`` belongs to: its subject's, or ALONE, emptied, where it comes too late for its
    history."""
    n = h.subjects[slot, LENGTH]
    late = h.subjects[slot, NEWEST] - time
    if n == 0 or late <= 0:
        return slot
    if late < KEEP_MS and (n < MAX_ROWS or age(segment(h, slot), n - MAX_ROWS) >= late):
        return slot
    h.subjects[ALONE, LENGTH] = 0
    return ALONE


@compiled_inside
def insert(h: History, slot: int, rows: Rows, i: int, marks: int) -> int:
    """Put row ``i`` with the domain's ``marks`` into its subject's segment at its event time, after ties; return its place."""
    sums = h.subjects[slot]
    time = rows.time[i]
    make_room(h, slot, time)
    end = sums[LENGTH]
    before = sums[NEWEST]
    newest = time if end == 0 else max(time, before)
    sums[NEWEST] = newest
    if end == 0:
        sums[SWEPT] = time
    sums[LENGTH] = end + 1
    subject = segment(h, slot)
    place: int = end
    late = newest - time
    while place > 0 and age(subject, place - 1) < late:
        copy_rows(subject, place - 1, subject, place, 1)
        place -= 1
    if place < end:
        sums[VALID] = 0
    elif end == 0 or not sums[VALID]:
        begin(sums, subject, end, newest - before)
    put_time(subject, place, time, marks)
    put_measure(subject, place, rows.measure[i])
    subject.counterparts[place] = rows.counterpart[i]
    subject.ratios[place] = 0.0
    subject.latitudes[place] = rows.latitude[i]
    subject.longitudes[place] = rows.longitude[i]
    subject.flags[place] |= _mark_counterpart(subject, place, end, sums)
    return place


@compiled
def make_room(h: History, slot: int, time: int) -> None:
    """Drop what has left the history, where the segment is full or its rows would be further away than their times can tell."""
    sums = h.subjects[slot]
    if sums[LENGTH] == sums[CAPACITY]:
        drop_old(h, slot)
    # Since then no row was kept that was older than that time by KEEP_MS.
    if sums[LENGTH] > 0 and time - sums[SWEPT] + KEEP_MS > OLDEST_MS:
        drop_old(h, slot)
        if time - sums[NEWEST] >= KEEP_MS:
            sums[LENGTH] = 0


@compiled_inside
def _mark_counterpart(subject: Segment, place: int, end: int, sums: NDArray[np.int64]) -> int:
    """Return FIRST_USE and NEWEST_USE of the new row at ``place``, ``end`` being the last; change its counterpart's others."""
    counterpart, at = subject.counterparts[place], age(subject, place)
    later = place + 1
    while later <= end and subject.counterparts[later] != counterpart:
        later += 1
    if later <= end and at - age(subject, later) < LONGEST_MS:
        subject.flags[later] &= ~FIRST_USE
    lo = max(0, end + 1 - MAX_ROWS)
    before = subject.counterparts[lo:place]
    last = np.int32(-1)
    for j in range(before.shape[0]):
        last = max(last, np.int32(j) if before[j] == counterpart else np.int32(-1))
    earlier = np.int64(last) + lo
    used_before = last >= 0 and age(subject, earlier) < min(at + LONGEST_MS, KEEP_MS)
    if later <= end:
        return 0 if used_before else FIRST_USE
    if used_before:
        subject.flags[earlier] &= ~NEWEST_USE
        if sums[VALID]:
            no_longer_newest(sums, earlier)
        return NEWEST_USE
    return NEWEST_USE | FIRST_USE
