"""What the history says of an event that leaves no row in it: one of another kind, or one whose measure is not known.

It is looked at as if it were its subject's, in a copy of the history, so that all is said in the same words and by the same code;
then the copy is forgotten. A few in a hundred events are of this sort, and a copy takes a microsecond or so.
"""

from __future__ import annotations

import numpy as np

from features.base.compiled import compiled
from features.catalogue.formulas import robust_mean
from features.catalogue.windows import KEEP_MS, LONGEST_MS, MAX_ROWS
from features.history.arrival import ALONE, Rows
from features.history.findings import Walk, back
from features.history.median import ordinary
from features.history.row_layout import (
    CAPACITY,
    COLUMNS_A_SUBJECT,
    LENGTH,
    START,
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
def copy_to_look(h: History, slot: int) -> None:
    """Copy a subject's history and its sums to the slot ALONE, which has room for them (ROOM)."""
    drop_old(h, slot)
    copy_rows(segment(h, slot), 0, segment(h, ALONE), 0, h.subjects[slot, LENGTH])
    for column in range(COLUMNS_A_SUBJECT):
        if column not in (START, CAPACITY):
            h.subjects[ALONE, column] = h.subjects[slot, column]


@compiled
def presume(h: History, last: int, rows: Rows, i: int, w: Walk) -> None:
    """Set the measure of row ``i``, which lies at ``last`` in ALONE, to the robust mean of the rows before it, in whole smallest
    units: without any, to what the domain presumes."""
    subject = segment(h, ALONE)
    lo = max(h.subjects[ALONE, LENGTH] - MAX_ROWS, 0)
    first = back(subject, lo, last, min(age(subject, last) + LONGEST_MS, KEEP_MS))
    _, total, count = ordinary(h, ALONE, subject, first, last, _ANY, w)
    rows.measure[i] = np.int64(robust_mean(total, count) + 0.5)
    put_measure(subject, last, rows.measure[i])
