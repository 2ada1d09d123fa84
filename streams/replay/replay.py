"""A Parquet file of transactions as batches of one day each. The file is read a row group at a time, in its own order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.base.durations import DAY_MS
from streams.publish.batch import Batch, Events, Labels, Truth, concat_labels
from streams.replay import columns
from streams.replay.errors import ReplayError
from streams.replay.rows import PATTERNS, FileColumns, column_of, no_events

ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class _Part:
    """Rows that follow each other in the file."""

    transactions: Events
    pattern: NDArray[np.int8]

    def take(self, rows: slice | NDArray[np.bool_]) -> _Part:
        return _Part(self.transactions.take(rows), self.pattern[rows])


def day_ms(day: date) -> int:
    """Return epoch ms of a day's beginning, UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


class Replay:
    """A file to replay.

    Every positive gets a label of the domain's first source, ``label_delay_days`` of event time after it. Raises ReplayError for
    a file that is no Parquet file or lacks a column.
    """

    def __init__(
        self,
        path: Path,
        wanted: FileColumns | None = None,
        label_delay_days: float = 7.0,
    ) -> None:
        if not 0.0 <= label_delay_days <= 3650.0:
            raise ReplayError(f"--label-delay-days is {label_delay_days}; it must be from 0 to 3650")
        try:
            self._schema = pq.read_schema(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise ReplayError(f"{path} cannot be read as Parquet: {error}") from error
        self._path = path
        self._columns = wanted or FileColumns()
        self._columns.open(self._schema.names, path.name)
        self._delay_ms = round(label_delay_days * DAY_MS)

    def batches(self, first: date | None = None, last: date | None = None) -> Iterator[Batch]:
        """Yield the days ``first`` to ``last``, both included, one batch each, days without transactions too.

        Raises ReplayError where the file is not in time order or holds values that no transaction can have.
        """
        start = day_ms(first) if first else None
        end = day_ms(last + timedelta(days=1)) if last else None
        held: list[_Part] = []
        day: int | None = None if start is None else start // DAY_MS
        for part in self._parts(start, end):
            days = part.transactions.event_time_ms // DAY_MS
            cuts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
            for a, b in pairwise(cuts):
                if day is None:
                    day = int(days[a])
                while day < days[a]:
                    yield self._batch(held, day)
                    held, day = [], day + 1
                held.append(part.take(slice(a, b)))
        if day is not None and held:
            yield self._batch(held, day)

    def pending_labels(self, first: date) -> Labels:
        """Return the labels of the transactions before ``first`` that become known on that day or later."""
        since = (datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(milliseconds=self._delay_ms)).date()
        parts = [self._batch([], 0).labels, *(batch.labels for batch in self.batches(since, first - timedelta(days=1)))]
        joined = concat_labels(parts)
        return joined.take(joined.label_time_ms >= day_ms(first))

    def _parts(self, start: int | None, end: int | None) -> Iterator[_Part]:
        """Yield the rows of [start, end), in pieces, checked for order."""
        newest = 0
        row = 0
        time_column = self._columns.time
        with pq.ParquetFile(self._path) as file:
            groups = [g for g in range(file.num_row_groups) if self._may_hold(file, g, start, end)]
            names = self._columns.names
            for piece in file.iter_batches(ROWS_AT_ONCE, row_groups=groups, columns=names):
                table = pa.Table.from_batches([piece]).combine_chunks()
                times = columns.times(column_of(table, time_column), time_column)
                if len(times) and (times[0] < newest or (np.diff(times) < 0).any()):
                    raise ReplayError(f"{self._path.name} is not in order of {time_column} (near row {row}); sort it first")
                if len(times):
                    newest = int(times[-1])
                row += len(times)
                a = 0 if start is None else int(np.searchsorted(times, start))
                b = len(times) if end is None else int(np.searchsorted(times, end))
                if b > a:
                    yield self._part(table.slice(a, b - a), times[a:b])
                if end is not None and newest >= end:
                    return

    def _may_hold(self, file: pq.ParquetFile, group: int, start: int | None, end: int | None) -> bool:
        """Tell whether a row group can hold rows of [start, end), by its statistics where it has them."""
        meta = file.metadata.row_group(group)
        for i in range(meta.num_columns):
            column = meta.column(i)
            if column.path_in_schema != self._columns.time:
                continue
            stats = column.statistics
            if stats is None or not stats.has_min_max or not isinstance(stats.min, datetime):
                return True
            low, high = (value if value.tzinfo is not None else value.replace(tzinfo=UTC) for value in (stats.min, stats.max))
            after = end is not None and low.timestamp() * 1000 >= end
            before = start is not None and high.timestamp() * 1000 < start
            return not (after or before)
        return True

    def _part(self, table: pa.Table, times: NDArray[np.int64]) -> _Part:
        return _Part(self._columns.events(table, times), self._columns.patterns(table))

    def _batch(self, parts: list[_Part], day: int) -> Batch:
        joined = _join(parts)
        truth = Truth(joined.pattern, PATTERNS)
        rows = np.flatnonzero(truth.positive)
        known = joined.transactions.event_time_ms[rows] + self._delay_ms
        labels = Labels.of(joined.transactions, rows, np.ones(len(rows), np.bool_), known, np.zeros(len(rows), np.int8))
        return Batch(day * DAY_MS, (day + 1) * DAY_MS, joined.transactions, truth, labels)


def _join(parts: list[_Part]) -> _Part:
    if not parts:
        return _Part(no_events(), np.empty(0, dtype=np.int8))
    transactions = Events.joined([part.transactions for part in parts])
    return _Part(transactions, np.concatenate([part.pattern for part in parts]))
