"""Batches into files instead of Kafka, and the ground truth beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.base.events import ENTRY_MODES
from streams.publish.batch import SOURCES, Batch, Labels, Transactions, Truth
from streams.publish.encode import encode_labels, encode_transactions

_TIME = pa.timestamp("ms", tz="UTC")


def transactions_table(columns: Transactions) -> pa.Table:
    """Transactions as Arrow, under the names of the event's fields; ``event_time`` is a timestamp, money stays in minor units."""
    unknown = columns.entry_mode < 0
    names = np.array([*ENTRY_MODES, None], dtype=object)
    return pa.table(
        {
            "transaction_id": pa.array(columns.transaction_id, pa.string()),
            "event_time": pa.array(columns.event_time_ms, _TIME),
            "card_id": pa.array(columns.card_id, pa.string()),
            "terminal_id": pa.array(columns.terminal_id, pa.string()),
            "amount_minor": pa.array(columns.amount_minor, pa.int64()),
            "currency": pa.array(columns.currency, pa.string()),
            "latitude": pa.array(columns.latitude, pa.float64(), from_pandas=True),
            "longitude": pa.array(columns.longitude, pa.float64(), from_pandas=True),
            "country": pa.array(columns.country, pa.string()),
            "merchant_category": pa.array(columns.merchant_category, pa.string()),
            "entry_mode": pa.array(names[np.where(unknown, len(ENTRY_MODES), columns.entry_mode)], pa.string()),
            "pin_used": pa.array(columns.pin_used > 0, pa.bool_(), mask=columns.pin_used < 0),
        }
    )


def labels_table(columns: Labels) -> pa.Table:
    """Labels as Arrow, under the names of the event's fields; the two times are timestamps."""
    return pa.table(
        {
            "transaction_id": pa.array(columns.transaction_id, pa.string()),
            "card_id": pa.array(columns.card_id, pa.string()),
            "terminal_id": pa.array(columns.terminal_id, pa.string()),
            "event_time": pa.array(columns.event_time_ms, _TIME),
            "is_fraud": pa.array(columns.is_fraud, pa.bool_()),
            "label_time": pa.array(columns.label_time_ms, _TIME),
            "source": pa.array(np.array(SOURCES, dtype=object)[columns.source], pa.string()),
        }
    )


def truth_table(transactions: Transactions, truth: Truth) -> pa.Table:
    """Ground truth: transaction_id, event_time, is_fraud, pattern."""
    return pa.table(
        {
            "transaction_id": pa.array(transactions.transaction_id, pa.string()),
            "event_time": pa.array(transactions.event_time_ms, _TIME),
            "is_fraud": pa.array(truth.is_fraud, pa.bool_()),
            "pattern": pa.array(np.array(truth.names, dtype=object)[truth.pattern], pa.string()),
        }
    )


class _Sink(Protocol):
    def write(self, batch: Batch) -> None: ...

    def close(self) -> None: ...


class TruthFile:
    """Writes the ground truth of the batches that pass through to a Parquet file. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def watch(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same batches, their truth written on the way."""
        for batch in batches:
            table = truth_table(batch.transactions, batch.truth)
            self._writer = self._writer or pq.ParquetWriter(self._path, table.schema)
            self._writer.write_table(table)
            yield batch

    def __enter__(self) -> TruthFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()


class _ParquetFiles:
    def __init__(self, path: Path, labels: Path) -> None:
        self._paths = (path, labels)
        self._writers: list[pq.ParquetWriter] = []

    def write(self, batch: Batch) -> None:
        tables = (transactions_table(batch.transactions), labels_table(batch.labels))
        if not self._writers:
            self._writers = [pq.ParquetWriter(p, t.schema) for p, t in zip(self._paths, tables, strict=True)]
        for writer, table in zip(self._writers, tables, strict=True):
            writer.write_table(table)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


class _JsonLines:
    def __init__(self, path: Path, labels: Path) -> None:
        self._files = (path.open("wb"), labels.open("wb"))

    def write(self, batch: Batch) -> None:
        self._files[0].writelines(line + b"\n" for line in encode_transactions(batch.transactions))
        self._files[1].writelines(line + b"\n" for line in encode_labels(batch.labels))

    def close(self) -> None:
        for file in self._files:
            file.close()


def check_out(path: Path) -> None:
    """Raises ValueError where the name's suffix is not one that can be written."""
    if path.suffix not in (".parquet", ".jsonl"):
        raise ValueError(f"--out is {path}; the name must end in .parquet or .jsonl")


def write_files(batches: Iterable[Batch], path: Path) -> tuple[int, int]:
    """Write transactions to ``path`` and their labels beside it (``NAME.labels.SUFFIX``); return how many of each.

    By suffix: .parquet, or .jsonl with what would have been published. The labels of a day follow each other by label time, and
    stand with the day of their transaction. Raises ValueError for another suffix.
    """
    check_out(path)
    labels = path.with_suffix(f".labels{path.suffix}")
    sink: _Sink = _ParquetFiles(path, labels) if path.suffix == ".parquet" else _JsonLines(path, labels)
    counts = [0, 0]
    try:
        for batch in batches:
            sink.write(batch)
            counts[0] += len(batch.transactions)
            counts[1] += len(batch.labels)
    finally:
        sink.close()
    return counts[0], counts[1]
