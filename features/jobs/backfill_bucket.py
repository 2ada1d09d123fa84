"""What a Spark task of the backfill does: one bucket of subjects in log order, through the transform, into one file a day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.archive import layout
from features.base.durations import DAY_MS
from features.base.files import Draft
from features.base.sections import Features
from features.catalogue.vector import vector_schema
from features.jobs.backfill_progress import Stretch
from features.transform.arrow import Recomputation, lists, number

_TRANSACTION = (
    *layout.EVENT.names,
    *("reference_measure", "measure_unknown"),
    *("kafka_partition", "kafka_offset"),
)
#: A backfilled row: the transaction, its vector and that vector's schema, and its time as Feast asks for it.
BACKFILLED = pa.schema([layout.SCORES.field(name) for name in (*_TRANSACTION, "schema", "features", "event_timestamp")])
#: Rows of a day that are held before they are written as one row group.
HELD = 8192


def write_bucket(stretch: Stretch, bucket: int, batches: Iterator[pa.RecordBatch], features: Features) -> int:
    """Compute and write the days of ``stretch`` from batches with columns ``_TRANSACTION`` in log order, history included.

    Returns the rows written. Memory: the bucket's subject state and HELD rows a day, however long the log of a subject is.
    """
    transform = Recomputation(features)
    files: dict[int, _DayFile] = {}
    try:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            vectors = transform.vectors(table)
            day = number(table, "event_time_ms", np.int64) // DAY_MS
            for epoch_day in np.unique(day[(day >= stretch.first) & (day < stretch.end)]).tolist():
                if epoch_day not in files:
                    files[epoch_day] = _DayFile(stretch.file(epoch_day, bucket))
                files[epoch_day].add(_rows(table, vectors, np.flatnonzero(day == epoch_day), vector_schema(features)))
        for file in files.values():
            file.finish()
    except BaseException:
        for file in files.values():
            file.drop()
        raise
    rows = {day: file.rows for day, file in files.items()}
    stretch.bucket_done(bucket, rows)
    return sum(rows.values())


def _rows(table: pa.Table, vectors: NDArray[np.float32], rows: NDArray[np.int64], schema_name: str) -> pa.Table:
    events = table.take(pa.array(rows)).select(_TRANSACTION)
    time = pa.array(number(events, "event_time_ms", np.int64) * 1000).cast(pa.timestamp("us", tz="UTC"))
    schema = pa.repeat(pa.scalar(schema_name), len(rows))
    return pa.table([*events.columns, schema, lists(vectors[rows]), time], names=BACKFILLED.names).cast(BACKFILLED)


class _DayFile:
    """A Parquet file under a hidden name, until it is whole."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows = 0
        self._draft = Draft(path)
        self._writer = pq.ParquetWriter(self._draft.file, BACKFILLED, compression="zstd")
        self._held: list[pa.Table] = []
        self._count = 0

    def add(self, rows: pa.Table) -> None:
        self._held.append(rows)
        self._count += rows.num_rows
        if self._count >= HELD:
            self._flush()

    def finish(self) -> None:
        self._flush()
        self._writer.close()
        self._draft.finish()

    def drop(self) -> None:
        if not self._draft.file.closed:
            self._writer.close()
        self._draft.drop()

    def _flush(self) -> None:
        if self._held:
            table = pa.concat_tables(self._held)
            self._writer.write_table(table)
            self.rows += table.num_rows
            self._held, self._count = [], 0
