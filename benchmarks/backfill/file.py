"""The Handbook's file as arrays, in event time, and its vectors by the transform in one process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.transform.events import columns_of
from features.base.active import DOMAIN
from features.history.state import SubjectState
from features.transform.update import update

_ROWS_A_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class File:
    """n rows by event time, ties by transaction: ids as numbers, epoch milliseconds, hundredths of a currency unit; [n] each."""

    transaction: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    subject: NDArray[np.int64]
    counterpart: NDArray[np.int64]
    minor: NDArray[np.int64]


def read(data: Path) -> File:
    """Read a Parquet file with the Handbook's columns."""
    table = pq.read_table(data, columns=["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT"])
    table = table.sort_by([("TX_DATETIME", "ascending"), ("TRANSACTION_ID", "ascending")])

    def number(name: str) -> NDArray[np.int64]:
        column: Any = table.column(name)
        if name == "TX_DATETIME":
            column = column.cast(pa.timestamp("ms"))
        numbers: NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
        return numbers

    minor = np.rint(table.column("TX_AMOUNT").to_numpy() * 100).astype(np.int64)
    return File(number("TRANSACTION_ID"), number("TX_DATETIME"), number("CUSTOMER_ID"), number("TERMINAL_ID"), minor)


def vectors(file: File) -> NDArray[np.float32]:
    """float32 [n, WIDTH]."""
    batch = columns_of(file.subject, file.time_ms, file.minor, file.counterpart)
    state = SubjectState()
    rows = np.arange(len(batch))
    parts = np.split(rows, rows[_ROWS_A_BATCH::_ROWS_A_BATCH])
    return np.concatenate([update(state, batch.take(part), DOMAIN.measure_limit) for part in parts])


def lists(matrix: NDArray[np.float32]) -> pa.ListArray:
    """float32 [n, k] as a list column, without a copy."""
    n, k = matrix.shape
    return pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * k), pa.array(matrix.reshape(-1)))
