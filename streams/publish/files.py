"""Batches into files instead of Kafka, and the ground truth beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.base.active import DOMAIN, ROLES
from features.base.files import Draft, replacing
from streams.publish.batch import CORE, SOURCES, Batch, Events, Labels, Truth
from streams.publish.encode import encode_events, encode_labels
from streams.publish.limits import check

_TIME = pa.timestamp("ms", tz="UTC")
#: The attributes that are positions in a list of texts.
_NAMES = {"mode": ROLES.modes, "kind": ROLES.kinds}


def events_table(columns: Events) -> pa.Table:
    """Return events as Arrow, under their names on the wire.

    ``event_time`` is a timestamp, measures stay in their smallest unit.
    """
    arrays: dict[str, pa.Array] = {}
    for field in msgspec.structs.fields(DOMAIN.event):
        if field.name == "event_time_ms":
            arrays["event_time"] = pa.array(columns.event_time_ms, _TIME)
        elif field.name in CORE or field.name in columns.others:
            arrays[field.encode_name] = _column(field.name, columns.column(field.name))
    return pa.table(arrays)


def _column(name: str, column: NDArray[Any]) -> pa.Array:
    if column.dtype == np.int8:
        if name in _NAMES:
            names = np.array([*_NAMES[name], None], dtype=object)
            return pa.array(names[np.where(column < 0, len(names) - 1, column)], pa.string())
        return pa.array(column > 0, pa.bool_(), mask=column < 0)
    if column.dtype.kind == "f":
        return pa.array(column, pa.float64(), from_pandas=True)
    return pa.array(column, pa.string() if column.dtype == object else pa.int64())


def labels_table(columns: Labels) -> pa.Table:
    """Return labels as Arrow, under their names on the wire; the two times are timestamps."""
    return pa.table(
        {
            ROLES.id: pa.array(columns.event_id, pa.string()),
            ROLES.subject: pa.array(columns.subject, pa.string()),
            ROLES.counterpart: pa.array(columns.counterpart, pa.string()),
            "event_time": pa.array(columns.event_time_ms, _TIME),
            DOMAIN.labels.positive: pa.array(columns.positive, pa.bool_()),
            "label_time": pa.array(columns.label_time_ms, _TIME),
            "source": pa.array(np.array(SOURCES, dtype=object)[columns.source], pa.string()),
        }
    )


def truth_table(events: Events, truth: Truth) -> pa.Table:
    """Return ground truth under names on the wire: id, event_time, whether positive, pattern."""
    return pa.table(
        {
            ROLES.id: pa.array(events.event_id, pa.string()),
            "event_time": pa.array(events.event_time_ms, _TIME),
            DOMAIN.labels.positive: pa.array(truth.positive, pa.bool_()),
            "pattern": pa.array(np.array(truth.names, dtype=object)[truth.pattern], pa.string()),
        }
    )


class _Sink(Protocol):
    def write(self, batch: Batch) -> None: ...

    def close(self) -> None: ...


class TruthFile:
    """Writes the ground truth of the batches that pass through to a Parquet file, which appears when all is written. Use as a
    context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft: Draft | None = None
        self._writer: pq.ParquetWriter | None = None

    def watch(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the same batches, their truth written on the way."""
        for batch in batches:
            table = truth_table(batch.transactions, batch.truth)
            if self._writer is None:
                self._draft = Draft(self._path)
                self._writer = pq.ParquetWriter(self._draft.file, table.schema)
            self._writer.write_table(table)
            yield batch

    def __enter__(self) -> TruthFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._writer is None or self._draft is None:
            return
        # What was published before an error did happen: its truth is kept.
        self._writer.close()
        self._draft.finish()


class _ParquetFiles:
    def __init__(self, files: tuple[BinaryIO, BinaryIO]) -> None:
        self._files = files
        self._writers: list[pq.ParquetWriter] = []

    def write(self, batch: Batch) -> None:
        tables = (events_table(batch.transactions), labels_table(batch.labels))
        if not self._writers:
            self._writers = [pq.ParquetWriter(f, t.schema) for f, t in zip(self._files, tables, strict=True)]
        for writer, table in zip(self._writers, tables, strict=True):
            writer.write_table(table)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


class _JsonLines:
    def __init__(self, files: tuple[BinaryIO, BinaryIO]) -> None:
        self._files = files

    def write(self, batch: Batch) -> None:
        self._files[0].writelines(line + b"\n" for line in encode_events(batch.transactions))
        self._files[1].writelines(line + b"\n" for line in encode_labels(batch.labels))

    def close(self) -> None:
        pass


def check_out(path: Path) -> None:
    """Raise ValueError where the name's suffix is not one that can be written."""
    if path.suffix not in (".parquet", ".jsonl"):
        raise ValueError(f"--out is {path}; the name must end in .parquet or .jsonl")


def write_files(batches: Iterable[Batch], path: Path) -> tuple[int, int]:
    """Write transactions to ``path`` and their labels beside it (``NAME.labels.SUFFIX``); return how many of each.

    By suffix: .parquet, or .jsonl with what would have been published. The labels of a day follow each other by label time, and
    stand with the day of their transaction. Both files appear when all is written; after an error there is neither, and what was
    there before stays. Raises ValueError for another suffix, and LimitError for an event that no processor would take.
    """
    check_out(path)
    counts = [0, 0]
    with replacing(path.with_suffix(f".labels{path.suffix}")) as labels, replacing(path) as events:
        files = events.file, labels.file
        sink: _Sink = _ParquetFiles(files) if path.suffix == ".parquet" else _JsonLines(files)
        try:
            for batch in batches:
                check(batch)
                sink.write(batch)
                counts[0] += len(batch.transactions)
                counts[1] += len(batch.labels)
        finally:
            sink.close()
    return counts[0], counts[1]
