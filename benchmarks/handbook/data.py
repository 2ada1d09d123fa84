"""Card transactions with the Handbook's columns, as arrays in the order in which a stream would bring them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.base.durations import DAY_MS

#: What is read of a file; everything else in it, the fraud scenario above all, is left alone.
COLUMNS = ("TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD")


@dataclass(frozen=True, slots=True)
class Transactions:
    """n transactions by event time, ties by transaction id.

    ``time_ms`` epoch milliseconds UTC; ``card`` and ``terminal`` numbered from 0 in the order of their ids; ``amount_minor``
    hundredths of a currency unit.
    """

    time_ms: NDArray[np.int64]
    subject: NDArray[np.int64]
    counterpart: NDArray[np.int64]
    measure: NDArray[np.int64]
    positive: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time_ms)

    @property
    def day(self) -> NDArray[np.int64]:
        """Days since 1970-01-01 UTC, [n]."""
        return self.time_ms // DAY_MS


def load(path: Path) -> Transactions:
    """Read a Parquet or CSV file. Raises ValueError where it is missing, lacks a column, or holds a null or a wrong type."""
    if not path.is_file():
        raise ValueError(f"--data: there is no file {path}")
    table = pa_csv.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise ValueError(f"--data: {path} lacks the column {missing[0]}; it needs {', '.join(COLUMNS)}")
    table = table.select(list(COLUMNS)).sort_by([("TX_DATETIME", "ascending"), ("TRANSACTION_ID", "ascending")])
    for name in COLUMNS:
        if table.column(name).null_count:
            raise ValueError(f"--data: {path} has nulls in {name}; leave these rows out")
    if not pa.types.is_timestamp(table.schema.field("TX_DATETIME").type):
        raise ValueError(f"--data: TX_DATETIME in {path} is not a timestamp; write it as one, in UTC")
    time = pc.cast(table.column("TX_DATETIME"), pa.timestamp("ms", tz=_zone(table)), safe=False)
    return Transactions(
        time_ms=pc.cast(time, pa.int64()).to_numpy(),
        subject=_numbered(table, "CUSTOMER_ID"),
        counterpart=_numbered(table, "TERMINAL_ID"),
        measure=np.rint(table.column("TX_AMOUNT").to_numpy().astype(np.float64) * 100).astype(np.int64),
        positive=table.column("TX_FRAUD").to_numpy() == 1,
    )


def _zone(table: pa.Table) -> str | None:
    zone: str | None = table.schema.field("TX_DATETIME").type.tz
    return zone


def _numbered(table: pa.Table, name: str) -> NDArray[np.int64]:
    """The ids of a column as 0, 1, ... in their own order."""
    return np.unique(table.column(name).to_numpy(), return_inverse=True)[1].astype(np.int64)
