"""The feature transform: from a subject's history to the stream's columns of the vector, strictly as of each event.

A window of length W at event time t holds the subject's transactions with ``t - W < time <= t`` that arrived so far, this one
included. Measures are summed as integers in the smallest unit. An event that comes late is inserted at its event time: its own
vector sees only what lies before it, and later vectors see it. The loop is ``features.transform.compiled_loops.stream_rows``,
made from the catalogue; ``features.history.insert`` is what it stands on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.catalogue.vector import FEATURES, N_STREAM, WIDTH
from features.history.arrival import Rows
from features.history.findings import new_walk
from features.history.state import SubjectState
from features.transform.columns import Columns
from features.transform.compiled_loops import stream_rows

_MISSING = np.array([f.missing for f in FEATURES], dtype=np.float32)


def update(state: SubjectState, batch: Columns, measure_limit: int) -> NDArray[np.float32]:
    """Add ``batch`` to ``state`` and return the vectors, float32 [n, WIDTH], in the batch's order.

    ``measure_limit``: ``settings.features.measure_limit``, whole units; the state does not depend on it.
    Events of another kind, and those whose measure is not known, get the vector of an event of their subject and leave no row in
    its history; a measure that is not known is presumed to be what is usual for the subject.
    Columns from ``N_STREAM`` on (owner, counterpart) hold their missing values: ``features.transform.profiles.fill`` sets
    them. Raises ValueError for columns of different lengths, and for measures that the history cannot hold.
    """
    batch.check()
    vectors = np.empty((len(batch), WIDTH), dtype=np.float32)
    vectors[:, N_STREAM:] = _MISSING[N_STREAM:]
    if len(batch):
        slots, measure = state.slots(batch.subject), batch.measure
        if batch.kind.any():
            apart = state.slots_apart([batch.subject[i] for i in np.flatnonzero(batch.kind > 0).tolist()])
            state.reserve_to_look()
            # What a row of another kind takes up beside its subject is no room that it needs in its subject's history.
            state.reserve(np.concatenate([slots[batch.kind == 0], apart]))
            # Where a measure is not known, the loop writes what is usual.
            measure = batch.measure.copy()
            measure[batch.kind < 0] = 0
        else:
            state.reserve(slots)
        rows = Rows(
            batch.event_time_ms,
            measure,
            batch.counterpart,
            batch.latitude,
            batch.longitude,
            batch.mode,
            batch.flag,
            batch.kind,
        )
        stream_rows(state.history, slots, rows, measure_limit, vectors, new_walk())
    return vectors
