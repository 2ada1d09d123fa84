"""Ways from the Handbook's file to a Parquet file of features. Each runs in a process of its own, so that one's memory is not
another's: ``python -m benchmarks.backfill.engines NAME --data FILE --out FOLDER``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

#: The columns that say which transaction a row is of, and carry the transform's whole vector.
ID, VECTOR = "transaction_id", "features"


def by_transform(data: Path, out: Path) -> Callable[[], None]:
    """This transform in one process, in event time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from benchmarks.backfill.file import lists, read, vectors
    from benchmarks.transform.measure import compile_all

    compile_all()

    def work() -> None:
        file = read(data)
        table = pa.table({ID: file.transaction, VECTOR: lists(vectors(file))})
        pq.write_table(table, out / "part.parquet", compression="zstd")

    return work


def by_spark(data: Path, out: Path) -> Callable[[], None]:
    """The backfill job, in Spark on two threads. Its data is the archive that ``benchmarks.backfill.spark.archive`` makes."""
    from benchmarks.backfill.spark import ready

    return ready(data, out)


def by_pandas(data: Path, out: Path) -> Callable[[], None]:
    """The Handbook's style: customer by customer."""
    return _pandas(data, out, "customer_by_customer")


def by_pandas_grouped(data: Path, out: Path) -> Callable[[], None]:
    """One ``groupby().rolling()`` a window."""
    return _pandas(data, out, "grouped")


def _pandas(data: Path, out: Path, style: str) -> Callable[[], None]:
    import pandas as pd

    from benchmarks.rolling import by_pandas as peer

    def work() -> None:
        table = pd.read_parquet(data, columns=["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TX_AMOUNT"])
        table = table.sort_values(["TX_DATETIME", "TRANSACTION_ID"], ignore_index=True)
        names = {"TRANSACTION_ID": ID, "TX_DATETIME": "time", "CUSTOMER_ID": "card", "TX_AMOUNT": "amount"}
        events = table.rename(columns=names)
        features = getattr(peer, style)(events)
        features.insert(0, ID, events[ID])
        features.astype(dict.fromkeys(features.columns[1:], "float32")).to_parquet(out / "part.parquet", compression="zstd")

    return work


def by_polars(data: Path, out: Path) -> Callable[[], None]:
    """One ``rolling`` a window, on as many threads as there are cores."""
    import polars as pl

    from benchmarks.rolling.by_polars import rolling
    from benchmarks.rolling.subset import names

    def work() -> None:
        columns = {"TRANSACTION_ID": ID, "TX_DATETIME": "time", "CUSTOMER_ID": "card", "TX_AMOUNT": "amount"}
        events = pl.read_parquet(data, columns=list(columns)).rename(columns).sort("time", ID)
        features = rolling(events).select(ID, *(pl.col(name).cast(pl.Float32) for name in names()))
        features.write_parquet(out / "part.parquet", compression="zstd")

    return work


#: By name: what gets ready (imports, compilation, a Spark session) and returns what does the work.
ENGINES: dict[str, Callable[[Path, Path], Callable[[], None]]] = {
    "spark": by_spark,
    "transform": by_transform,
    "pandas": by_pandas,
    "pandas-grouped": by_pandas_grouped,
    "polars": by_polars,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one engine. The last line of output is JSON: seconds until it was ready, of work, and CPU seconds of this process."""
    parser = argparse.ArgumentParser("benchmarks.backfill.engines", description=__doc__)
    parser.add_argument("engine", choices=list(ENGINES))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    work = ENGINES[options.engine](options.data, options.out)
    ready = time.time() - psutil.Process().create_time()
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    print(json.dumps({"ready": ready, "work": seconds, "cpu": time.process_time()}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
