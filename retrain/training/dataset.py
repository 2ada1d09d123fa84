"""The training table: one row per event, as arrays, and its Parquet form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.catalogue.vector import NAMES, WIDTH


@dataclass(frozen=True)
class Dataset:
    """``n`` events. ``known`` is false where no outcome has come yet; ``positive`` is false there.

    vectors: float32 [n, WIDTH], finite. event_time_ms: int64 [n]. measure: int64 [n]. positive, known: bool [n].
    subject: uint32 [n], a hash of the subject id, the same in every process.
    """

    vectors: NDArray[np.float32]
    event_time_ms: NDArray[np.int64]
    measure: NDArray[np.int64]
    positive: NDArray[np.bool_]
    known: NDArray[np.bool_]
    subject: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.event_time_ms)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Dataset:
        """Return the rows of a mask or of indices."""
        return Dataset(
            self.vectors[rows],
            self.event_time_ms[rows],
            self.measure[rows],
            self.positive[rows],
            self.known[rows],
            self.subject[rows],
        )


def write(data: Dataset, path: Path) -> None:
    """Write as Parquet: the vector's columns by name, then the rest."""
    columns: dict[str, NDArray[np.generic]] = {name: data.vectors[:, i] for i, name in enumerate(NAMES)}
    columns |= {"event_time_ms": data.event_time_ms, "measure": data.measure, "positive": data.positive}
    columns |= {"known": data.known, "subject": data.subject}
    pq.write_table(pa.table(columns), path, compression="zstd")


def read(path: Path) -> Dataset:
    """Read what ``write`` wrote."""
    table = pq.read_table(path)
    vectors = np.empty((table.num_rows, WIDTH), np.float32)
    for i, name in enumerate(NAMES):
        vectors[:, i] = table.column(name).to_numpy()
    rest = [table.column(name).to_numpy() for name in ("event_time_ms", "measure", "positive", "known", "subject")]
    return Dataset(vectors, *rest)
