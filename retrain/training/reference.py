"""The sample that ships with a model version: what its world looked like, for the drift monitor to compare with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.base.durations import DAY_MS
from features.catalogue.vector import NAMES

#: Whole weeks, so that weekends have their share; one, so that it shows the newest state of the world.
DAYS = 7
MAX_ROWS = 20_000
MIN_ROWS = 2_000


def choose(event_time_ms: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the indices, in order, of at most MAX_ROWS events of the newest DAYS; where these are too few, the newest
    MIN_ROWS."""
    newest = int(event_time_ms.max())
    recent = np.flatnonzero(event_time_ms > newest - DAYS * DAY_MS)
    if len(recent) < MIN_ROWS:
        recent = np.sort(np.argsort(event_time_ms, kind="stable")[-MIN_ROWS:])
    if len(recent) > MAX_ROWS:
        recent = np.sort(rng.choice(recent, MAX_ROWS, replace=False))
    return recent


def write(vectors: NDArray[np.float32], scores: NDArray[np.float32], path: Path) -> None:
    """Write ``vectors`` [n, WIDTH] and ``scores`` [n] as Parquet: columns vector.NAMES and ``score``."""
    columns = {name: vectors[:, i] for i, name in enumerate(NAMES)}
    pq.write_table(pa.table({**columns, "score": scores}), path, compression="zstd")
