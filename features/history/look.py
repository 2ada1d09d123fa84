"""What the history says of an event that leaves no row in it: one of another kind, or one whose measure is not known.

It is looked at as if it were its subject's, in a copy of the history, so that all is said in the same words and by the same code;
then the copy is forgotten. A few in a hundred events are of this sort, and a copy takes a microsecond or so.
"""

from __future__ import annotations

import numpy as np

from features.base.compiled import compiled
from features.catalogue.formulas import robust_mean
from features.catalogue.windows import KEEP_MS, LONGEST_MS, MAX_ROWS
from features.history.apart import count_apart, count_in, put_apart
from features.history.arrival import ALONE, Rows, insert, slot_of
from features.history.findings import Walk, back
from features.history.in_order import go_on
from features.history.late import walk_back
from features.history.median import ordinary
from features.history.row_layout import (
    CAPACITY,
    COLUMNS_A_SUBJECT,
    LENGTH,
    START,
    VALID,
    History,
    age,
    copy_rows,
    drop_old,
    put_measure,
    segment,
)

#: For how many rows there must be room in the slot ALONE: a history, and the event.
ROOM = MAX_ROWS + 4
#: Above every measure: the search for the median takes no short cut.
_ANY = 1 << 40


@compiled
def look(h: History, slot: int, rows: Rows, i: int, marks: int, w: Walk) -> None:
    """Fill ``w`` for row ``i``. One of another kind (above 0) is put beside the history; the measure of one without (-1) is set to
    what is usual for its subject."""
    kind, apart = rows.kind[i], h.apart[slot]
    if slot_of(h, slot, rows.time[i]) != ALONE:
        _copy(h, slot)
    last = insert(h, ALONE, rows, i, marks)
    if kind < 0:
        rows.measure[i] = _usual(h, last, w)
        put_measure(segment(h, ALONE), last, rows.measure[i])
    if h.subjects[ALONE, VALID]:
        go_on(h, ALONE, last, w)
    else:
        walk_back(h, ALONE, last, w)
    if kind > 0:
        count_in(h, put_apart(h, apart, rows, i), rows.time[i], w)
    else:
        count_apart(h, apart, rows.time[i], w)


@compiled
def _copy(h: History, slot: int) -> None:
    """Copy a subject's history and its sums to the slot ALONE."""
    drop_old(h, slot)
    copy_rows(segment(h, slot), 0, segment(h, ALONE), 0, h.subjects[slot, LENGTH])
    for column in range(COLUMNS_A_SUBJECT):
        if column != START and column != CAPACITY:
            h.subjects[ALONE, column] = h.subjects[slot, column]


@compiled
def _usual(h: History, last: int, w: Walk) -> int:
    """Return the robust mean of the rows before ``last``, in whole smallest units: without any, what the domain presumes."""
    subject = segment(h, ALONE)
    lo = max(h.subjects[ALONE, LENGTH] - MAX_ROWS, 0)
    first = back(subject, lo, last, min(age(subject, last) + LONGEST_MS, KEEP_MS))
    _, total, count = ordinary(h, ALONE, subject, first, last, _ANY, w)
    return int(np.int64(robust_mean(total, count) + 0.5))
