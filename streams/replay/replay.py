"""A Parquet file of transactions as batches of one day each. The file is read a row group at a time, in its own order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from streams.replay.mapping import HANDBOOK, Field, ReplayError, resolve

ROWS_AT_ONCE = 65_536
_MOST_PATTERNS = 100


@dataclass(frozen=True)
class _Part:
    """Rows that follow each other in the file."""

    transactions: Events
    pattern: NDArray[np.int8]

    def take(self, rows: slice | NDArray[np.bool_]) -> _Part:
        return _Part(self.transactions.take(rows), self.pattern[rows])


def day_ms(day: date) -> int:
    """Epoch ms of a day's beginning, UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


class Replay:
    """A file to replay.

    ``currency`` holds where the file has no such column. Every fraud gets a label of source ``chargeback``,
    ``label_delay_days`` of event time after it. Raises ReplayError for a file that is no Parquet file or lacks a column.
    """

    def __init__(
        self,
        path: Path,
        mapping: Mapping[Field, str] = HANDBOOK,
        currency: str = "EUR",
        label_delay_days: float = 7.0,
    ) -> None:
        if len(currency) != 3 or not (currency.isascii() and currency.isalpha() and currency.isupper()):
            raise ReplayError(f"--currency is {currency!r}; write three capital letters, as in EUR")
        if not 0.0 <= label_delay_days <= 3650.0:
            raise ReplayError(f"--label-delay-days is {label_delay_days}; it must be from 0 to 3650")
        try:
            self._schema = pq.read_schema(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise ReplayError(f"{path} cannot be read as Parquet: {error}") from error
        self._path = path
        self._columns = resolve(dict(mapping), self._schema.names, path.name)
        self._currency = currency
        self._delay_ms = round(label_delay_days * DAY_MS)

    def batches(self, first: date | None = None, last: date | None = None) -> Iterator[Batch]:
        """The days ``first`` to ``last``, both included, one batch each, days without transactions too.

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
        """Labels of the transactions before ``first`` that become known on that day or later."""
        since = (datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(milliseconds=self._delay_ms)).date()
        parts = [self._batch([], 0).labels, *(batch.labels for batch in self.batches(since, first - timedelta(days=1)))]
        joined = concat_labels(parts)
        return joined.take(joined.label_time_ms >= day_ms(first))

    def _parts(self, start: int | None, end: int | None) -> Iterator[_Part]:
        """Rows of [start, end), in pieces, checked for order."""
        newest = 0
        row = 0
        time_column = self._columns["event_time"]
        with pq.ParquetFile(self._path) as file:
            groups = [g for g in range(file.num_row_groups) if self._may_hold(file, g, start, end)]
            names = sorted(set(self._columns.values()))
            for piece in file.iter_batches(ROWS_AT_ONCE, row_groups=groups, columns=names):
                table = pa.Table.from_batches([piece]).combine_chunks()
                times = columns.times(_array(table, time_column), time_column)
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
        """Whether a row group can hold rows of [start, end), by its statistics where it has them."""
        meta = file.metadata.row_group(group)
        for i in range(meta.num_columns):
            column = meta.column(i)
            if column.path_in_schema != self._columns["event_time"]:
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
        n = table.num_rows
        have = self._columns

        def of(field: Field) -> pa.Array:
            return _array(table, have[field])

        none = np.full(n, None, dtype=object)
        nowhere = np.full(n, np.nan)
        unknown = np.full(n, -1, dtype=np.int8)
        currency = columns.text(of("currency")) if "currency" in have else np.full(n, self._currency, dtype=object)
        transactions = Events(
            event_id=columns.ids(of("transaction_id"), have["transaction_id"]),
            event_time_ms=times,
            subject=columns.ids(of("card_id"), have["card_id"]),
            counterpart=columns.ids(of("terminal_id"), have["terminal_id"]),
            measure=self._amounts(of("amount"), currency),
            others={
                "currency": currency,
                "latitude": columns.degrees(of("latitude"), have["latitude"], 90.0) if "latitude" in have else nowhere,
                "longitude": columns.degrees(of("longitude"), have["longitude"], 180.0) if "longitude" in have else nowhere,
                "country": columns.text(of("country")) if "country" in have else none,
                "category": columns.text(of("merchant_category")) if "merchant_category" in have else none,
                "mode": columns.entry_modes(of("entry_mode"), have["entry_mode"]) if "entry_mode" in have else unknown,
                "flag": columns.pins(of("pin_used"), have["pin_used"]) if "pin_used" in have else unknown,
            },
        )
        pattern = np.zeros(n, dtype=np.int8)
        if "is_fraud" in have:
            fraud = columns.flags(of("is_fraud"), have["is_fraud"])
            kind = np.ones(n)
            if "pattern" in have and pa.types.is_integer(of("pattern").type):
                kind = np.clip(of("pattern").to_numpy(zero_copy_only=False), 1, _MOST_PATTERNS)
            pattern[fraud] = kind[fraud].astype(np.int8)
        return _Part(transactions, pattern)

    def _amounts(self, column: pa.Array, currency: NDArray[np.object_]) -> NDArray[np.int64]:
        """Minor units [n], each by its own currency."""
        name = self._columns["amount"]
        amounts = np.zeros(len(column), dtype=np.int64)
        for one in set(currency.tolist()):
            if not isinstance(one, str) or len(one) != 3 or not (one.isascii() and one.isalpha() and one.isupper()):
                raise ReplayError(
                    f"column {self._columns['currency']} holds {one!r}; a currency is three capital letters, as in EUR"
                )
            mine = currency == one
            amounts[mine] = columns.minor_units(column.filter(pa.array(mine)), name, columns.exponent(one))
        return amounts

    def _batch(self, parts: list[_Part], day: int) -> Batch:
        joined = _join(parts)
        truth = Truth(joined.pattern, ("genuine", *(f"scenario_{i}" for i in range(1, _MOST_PATTERNS + 1))))
        rows = np.flatnonzero(truth.positive)
        known = joined.transactions.event_time_ms[rows] + self._delay_ms
        labels = Labels.of(joined.transactions, rows, np.ones(len(rows), np.bool_), known, np.zeros(len(rows), np.int8))
        return Batch(day * DAY_MS, (day + 1) * DAY_MS, joined.transactions, truth, labels)


def _array(table: pa.Table, name: str) -> pa.Array:
    chunked = table.column(name)
    return chunked.chunk(0) if chunked.num_chunks == 1 else pa.concat_arrays(chunked.chunks)


def _join(parts: list[_Part]) -> _Part:
    if not parts:
        text = np.empty(0, dtype=object)
        whole = np.empty(0, dtype=np.int64)
        real = np.empty(0, dtype=np.float64)
        small = np.empty(0, dtype=np.int8)
        others = {"currency": text, "latitude": real, "longitude": real, "country": text, "category": text}
        empty = Events(text, whole, text, text, whole, {**others, "mode": small, "flag": small})
        return _Part(empty, small)
    transactions = Events.joined([part.transactions for part in parts])
    return _Part(transactions, np.concatenate([part.pattern for part in parts]))
