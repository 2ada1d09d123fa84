"""The project's own backfill job over the file, which is laid out as the archive that the stream would have left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.backfill.file import read
from features.settings import DAY_MS

_MEMORY = "2g"


def archive(data: Path, folder: Path) -> tuple[int, int]:
    """Write the file's transactions as ``features.jobs.sources`` reads them, a folder a day; return [first day, end day)."""
    from features.archive_days import day_name

    f = read(data)
    n = len(f.time_ms)
    day = f.time_ms // DAY_MS
    unknown = {"latitude": pa.float64(), "longitude": pa.float64(), "country": pa.string(), "merchant_category": pa.string()}
    table = pa.table(
        {
            "transaction_id": pa.array(f.transaction).cast(pa.string()),
            "event_time_ms": f.time_ms,
            "card_id": pa.array(f.card).cast(pa.string()),
            "terminal_id": pa.array(f.terminal).cast(pa.string()),
            "amount_minor": f.minor,
            "currency": pa.repeat(pa.scalar("EUR"), n),
            **{name: pa.nulls(n, kind) for name, kind in unknown.items()},
            "entry_mode": pa.nulls(n, pa.string()),
            "pin_used": pa.nulls(n, pa.bool_()),
            "kafka_partition": np.zeros(n, dtype=np.int32),
            "kafka_offset": np.arange(n, dtype=np.int64),
        }
    )
    for one in np.unique(day).tolist():
        path = folder / "scores" / day_name(one) / "part.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        begin, end = np.searchsorted(day, [one, one + 1]).tolist()
        pq.write_table(table.slice(begin, end - begin), path, compression="zstd")
    return int(day[0]), int(day[-1]) + 1


def ready(data: Path, out: Path) -> Callable[[], None]:
    """Lay out the archive, start Spark on two threads; what comes back does the work, all days in one stretch."""
    from features.jobs.backfill import backfill
    from features.jobs.session import spark_session

    beside = out.with_name("spark-files")
    first, end = archive(data, beside / "archive")
    session = spark_session("backfill", beside / "cache", beside / "scratch", driver_memory=_MEMORY)

    def work() -> None:
        done = backfill(session, beside / "archive", out, first, end, days_at_once=end - first)
        print(f"{done.rows:,} rows in {done.days} days")

    return work
