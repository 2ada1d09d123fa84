"""The project's own backfill job over the file, which is laid out as the archive that the stream would have left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.backfill.file import read
from features.archive.days import day_name, day_number
from features.base.durations import DAY_MS
from features.base.sections import Features
from features.jobs.backfill import backfill
from features.jobs.spark_session import spark_session

_MEMORY = "2g"


def archive(data: Path, folder: Path) -> None:
    """Write the file's transactions as ``features.jobs.sources`` reads them, a folder a day."""
    f = read(data)
    n = len(f.time_ms)
    day = f.time_ms // DAY_MS
    unknown = {"latitude": pa.float64(), "longitude": pa.float64(), "country": pa.string(), "merchant_category": pa.string()}
    table = pa.table(
        {
            "transaction_id": pa.array(f.transaction).cast(pa.string()),
            "event_time_ms": f.time_ms,
            "card_id": pa.array(f.subject).cast(pa.string()),
            "terminal_id": pa.array(f.counterpart).cast(pa.string()),
            "amount_minor": f.minor,
            "currency": pa.repeat(pa.scalar("EUR"), n),
            **{name: pa.nulls(n, kind) for name, kind in unknown.items()},
            "entry_mode": pa.nulls(n, pa.string()),
            "pin_used": pa.nulls(n, pa.bool_()),
            "kafka_partition": np.zeros(n, dtype=np.int32),
            "kafka_offset": np.arange(n, dtype=np.int64),
        }
    )
    for epoch_day in np.unique(day).tolist():
        path = folder / "scores" / day_name(epoch_day) / "part.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        begin, end = np.searchsorted(day, [epoch_day, epoch_day + 1]).tolist()
        pq.write_table(table.slice(begin, end - begin), path, compression="zstd")


def ready(log: Path, out: Path) -> Callable[[], None]:
    """Start Spark on two threads; what comes back does the work on the archive ``log``, all days in one stretch."""
    beside = out.with_name("spark-files")
    days = [day_number(folder.name) for folder in (log / "scores").iterdir()]
    first, end = min(days), max(days) + 1
    session = spark_session("backfill", beside / "cache", beside / "scratch", driver_memory=_MEMORY)

    def work() -> None:
        done = backfill(session, log, out, first, end, Features(), days_at_once=end - first)
        print(f"{done.rows:,} rows in {done.days} days")

    return work
