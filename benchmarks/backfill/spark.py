"""The backfill in Spark: cards in buckets, each bucket through the transform in event time, one Parquet file a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.card_state import CardState
from features.columns import Columns
from features.transform import update

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Cards are split into so many buckets: few enough that Arrow's batches are worth their cost, enough for memory and both threads.
BUCKETS = 16
_ROWS_A_BATCH = 20_000


def start(folder: Path) -> SparkSession:
    """Spark as the jobs run it, on two threads, its files under ``folder``."""
    from features.jobs.session import spark_session

    return spark_session("backfill", folder / "cache", folder / "scratch", driver_memory="2g")


def backfill(session: SparkSession, data: Path, out: Path) -> None:
    """Write transaction_id and vector (list of float32) of each row of ``data`` into the folder ``out``."""
    from pyspark.sql import functions as f

    rows = session.read.parquet(str(data)).select(
        f.col("TRANSACTION_ID").cast("long").alias("transaction_id"),
        f.unix_millis(f.col("TX_DATETIME").cast("timestamp")).alias("time_ms"),
        f.col("CUSTOMER_ID").cast("long").alias("card"),
        f.col("TERMINAL_ID").cast("long").alias("terminal"),
        f.rint(f.col("TX_AMOUNT") * 100).cast("long").alias("minor"),
    )
    bucketed = rows.groupBy(f.pmod(f.col("card"), f.lit(BUCKETS)))
    found = bucketed.applyInArrow(of_a_bucket, "transaction_id long, vector array<float>")
    found.write.mode("overwrite").parquet(str(out))


def of_a_bucket(table: pa.Table) -> pa.Table:
    """All rows of some cards -> their ids and vectors."""
    table = table.sort_by([("time_ms", "ascending"), ("transaction_id", "ascending")])
    columns = (table.column(name).to_numpy() for name in ("time_ms", "card", "terminal", "minor"))
    return pa.table({"transaction_id": table.column("transaction_id"), "vector": lists(vectors(*columns))})


def vectors(
    time_ms: NDArray[np.int64], card: NDArray[np.int64], terminal: NDArray[np.int64], minor: NDArray[np.int64]
) -> NDArray[np.float32]:
    """float32 [n, WIDTH] of rows in event time: epoch ms, numbers of card and terminal, hundredths of a currency unit."""
    state = CardState()
    found = []
    for at in range(0, len(time_ms), _ROWS_A_BATCH):
        part = slice(at, at + _ROWS_A_BATCH)
        found.append(update(state, columns(time_ms[part], card[part], terminal[part], minor[part])))
    return np.concatenate(found)


def columns(
    time_ms: NDArray[np.int64], card: NDArray[np.int64], terminal: NDArray[np.int64], minor: NDArray[np.int64]
) -> Columns:
    """What the transform takes, for the Handbook's data: no places, entry modes or PINs."""
    nowhere, unknown = np.full(len(time_ms), np.nan), np.full(len(time_ms), -1, dtype=np.int8)
    number = terminal.astype(np.int64)
    return Columns([str(c) for c in card.tolist()], time_ms, minor, number, nowhere, nowhere, unknown, unknown)


def lists(matrix: NDArray[np.float32]) -> pa.ListArray:
    """float32 [n, k] as a list column, without a copy."""
    n, k = matrix.shape
    return pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * k), pa.array(matrix.reshape(-1)))
