"""Fill the columns of the vector that are read from Feast: one function for the stream, Feast's on-demand view and the batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN
from features.catalogue.formulas import UNIT
from features.catalogue.vector import INDEX
from features.transform.columns import Columns
from features.transform.compiled_loops import read_rows
from features.transform.counterpart_tiles import new_known
from features.transform.profiles import Profiles
from features.transform.read_columns import Read

_MEASURE = INDEX[DOMAIN.columns.measure]


def fill(vectors: NDArray[np.float32], batch: Columns, profiles: Profiles, delay_ms: int, step_hours: int) -> None:
    """Write the owner and counterpart columns of ``vectors`` [n, WIDTH], in place, for the n transactions of ``batch``.

    ``delay_ms`` and ``step_hours`` are those of ``settings.labels``; see ``features.transform.counterpart_tiles`` for what they
    mean.
    """
    if len(batch):
        measure = batch.measure
        if (unknown := batch.kind < 0).any():
            # What the history presumes (``features.history.look``) stands in the vector.
            measure = np.where(unknown, np.rint(vectors[:, _MEASURE].astype(np.float64) * UNIT).astype(np.int64), measure)
        read_rows(
            Read(
                batch.event_time_ms,
                measure,
                batch.counterpart,
                batch.category,
                batch.latitude,
                batch.longitude,
                np.ascontiguousarray(profiles.owner),
                np.ascontiguousarray(profiles.usual),
                np.ascontiguousarray(profiles.tiles),
                profiles.begin,
                profiles.end,
            ),
            delay_ms,
            step_hours,
            vectors,
            new_known(),
        )
