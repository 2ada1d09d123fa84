"""The owner and counterpart columns of archived rows as the online store would have given them at the time of each event."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.base.active import ROLES
from features.base.settings import Settings
from features.offline.point_in_time import point_in_time
from features.transform.arrow import vectors
from features.transform.columns import from_table
from features.transform.fill import fill

#: Events a join takes at once: the counterparts' tiles take some kB an event.
CHUNK = 200_000


def joined(settings: Settings, rows: pa.Table) -> NDArray[np.float32]:
    """Return the vectors of archived scores, float32 [n, WIDTH], owner and counterpart columns as of each event.

    Raises ValueError where a vector has another length, features.feast_repo.store.StoreMissing before ``driftloop up``.
    """
    matrix = vectors(rows.column("features"))
    fill_as_of(settings, rows, matrix)
    return matrix


def fill_as_of(settings: Settings, rows: pa.Table, vectors: NDArray[np.float32]) -> None:
    """Write the owner and counterpart columns of ``vectors`` [n, WIDTH], in place, from Feast's offline store.

    ``rows`` [n]: the transactions (``features.transform.arrow.TRANSFORMED``). Raises features.feast_repo.store.StoreMissing
    before ``driftloop up``.
    """
    for start in range(0, rows.num_rows, CHUNK):
        part = rows.slice(start, CHUNK)
        profiles = point_in_time(settings, part.select([ROLES.subject, ROLES.counterpart, ROLES.time]).to_pandas())
        labels = settings.labels
        fill(vectors[start : start + CHUNK], from_table(part), profiles, labels.delay_ms, labels.step_hours)
