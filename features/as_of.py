"""The customer and terminal columns of archived rows as the online store would have given them at the time of each event."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.offline import point_in_time
from features.profiles import fill
from features.settings import Settings
from features.tables import number

#: Events a join takes at once: the terminals' tiles take 1.1 kB an event.
CHUNK = 200_000


def fill_as_of(settings: Settings, rows: pa.Table, vectors: NDArray[np.float32]) -> None:
    """Write the customer and terminal columns of ``vectors`` [n, WIDTH], in place, from Feast's offline store.

    ``rows`` [n]: the transactions (``features.tables.TRANSFORMED``). Raises features.store.StoreMissing before ``driftloop up``.
    """
    for start in range(0, rows.num_rows, CHUNK):
        part = rows.slice(start, CHUNK)
        profiles = point_in_time(settings, part.select(["card_id", "terminal_id", "event_time_ms"]).to_pandas())
        fill(
            vectors[start : start + CHUNK],
            number(part, "event_time_ms", np.int64),
            number(part, "amount_minor", np.int64),
            number(part, "latitude", np.float64),
            number(part, "longitude", np.float64),
            profiles.customer,
            profiles.tiles,
            settings.labels.delay_days,
        )
