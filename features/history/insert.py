"""The compiled heart of the transform: put an event into its subject's history, and tell what that says of it.

All of it is strictly as of the event: only rows at or before its place in event time count. Ties stay in the order of their
arrival. A row's ``ratio`` and its flag HIGH_MEASURE are those of its arrival: an event that comes late changes the windows of
later events, never what was said of earlier ones. An event so late that it is no part of its subject's history is alone.

The functions here carry no cache of their own; they are compiled into ``features.transform.generated``, whose text changes with
theirs.
"""

from __future__ import annotations

from features.base.compiled import compiled_inside
from features.history.apart import take_apart
from features.history.arrival import ALONE, Rows, insert, slot_of
from features.history.findings import Walk
from features.history.in_order import go_on
from features.history.late import walk_back
from features.history.look import copy_to_look, presume
from features.history.row_layout import VALID, History


@compiled_inside
def take_in(h: History, slot: int, rows: Rows, i: int, marks: int, w: Walk) -> None:
    """Put row ``i`` of a batch into its subject's history and fill ``w`` with what that says of it.

    One of another kind, or without a known measure, is looked at and leaves no row in it.
    """
    kind, apart, subject = rows.kind[i], h.apart[slot], slot
    slot = slot_of(h, subject, rows.time[i])
    if kind != 0 and slot != ALONE:
        copy_to_look(h, subject)
        slot = ALONE
    last = insert(h, slot, rows, i, marks)
    if kind < 0:
        presume(h, last, rows, i, w)
    if h.subjects[slot, VALID]:
        go_on(h, slot, last, w)
    else:
        walk_back(h, slot, last, w)
    if apart != 0 or w.filled[0] != 0:
        take_apart(h, apart, rows, i, w)
