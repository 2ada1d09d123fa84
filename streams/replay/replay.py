"""A file of transactions as batches of one day each. The file is read a row group at a time, in its own order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.base.active import ROLES
from features.base.durations import DAY_MS
from streams.publish.batch import Batch, Events, Labels, Truth, concat_labels
from streams.replay.check import Checked, Seen, hashes
from streams.replay.csv_file import CsvShape
from streams.replay.errors import ReplayError
from streams.replay.instants import LATEST
from streams.replay.pieces import Piece
from streams.replay.rows import PATTERNS, FileColumns, no_events
from streams.replay.table_file import open_table


@dataclass(frozen=True)
class _Part:
    """Rows that follow each other in the file; ``rows`` are their numbers in it, from 1."""

    transactions: Events
    pattern: NDArray[np.int8]
    rows: NDArray[np.int64]

    def take(self, rows: slice | NDArray[np.bool_]) -> _Part:
        return _Part(self.transactions.take(rows), self.pattern[rows], self.rows[rows])


def day_ms(day: date) -> int:
    """Return epoch ms of a day's beginning, UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


class Replay:
    """A file to replay.

    Every positive gets a label of the domain's first source, ``label_delay_days`` of event time after it. Raises ReplayError for
    a file that cannot be read or lacks a column.
    """

    def __init__(
        self,
        path: Path,
        wanted: FileColumns | None = None,
        label_delay_days: float = 7.0,
        shape: CsvShape | None = None,
    ) -> None:
        if not 0.0 <= label_delay_days <= 3650.0:
            raise ReplayError(f"--label-delay-days is {label_delay_days}; it must be from 0 to 3650")
        self._path = path
        self._file = open_table(path, shape or CsvShape())
        self._columns = wanted or FileColumns()
        self._columns.open(self._file.names, path.name)
        self._delay_ms = round(label_delay_days * DAY_MS)
        self._skipped = 0

    def described(self) -> dict[str, str]:
        """Return what the events and labels depend on besides the file's rows, as texts by name."""
        return {**self._columns.described(), "--label-delay-days": f"{self._delay_ms / DAY_MS:g}"}

    def extent(self) -> tuple[date, date, int]:
        """Return the first and last day of the file, and its rows. Raises ReplayError where it has none."""
        first = last = None
        rows = 0
        for piece in self._file.pieces(list(self._columns.time.needs), lambda _: True):
            times = self._columns.times(piece)
            if len(times):
                low, high = int(times.min()), int(times.max())
                first, last = min(low, first or low), max(high, last or high)
            rows += len(times)
        if first is None or last is None:
            raise ReplayError(f"{self._path.name} holds no rows")
        return _day(first), _day(last), rows

    def check(self, first: date | None = None, last: date | None = None) -> Checked:
        """Read the days ``first`` to ``last`` as ``batches`` would, all of them, and tell what they are.

        Memory: a piece of the file, and eight bytes a row. Raises ReplayError, naming column and row, where ``batches`` would,
        and where an id stands twice.
        """
        seen = Seen()
        rows, first_ms, last_ms, newest_label_ms = 0, None, None, 0
        self._skipped = 0
        for part in self._parts(*_span(first, last)):
            times = part.transactions.event_time_ms
            seen.add(part.transactions)
            rows += len(times)
            first_ms, last_ms = int(times[0]) if first_ms is None else first_ms, int(times[-1])
            newest_label_ms = max(newest_label_ms, self._newest_label(part))
        if not rows:
            raise ReplayError(
                f"{self._path.name} holds no rows of these days" if first or last else f"{self._path.name} holds no rows"
            )
        skipped = self._skipped
        self._refuse_repeated(seen.repeated(), first, last)
        return Checked(rows, skipped, first_ms, last_ms, newest_label_ms, seen.days)

    def _newest_label(self, part: _Part) -> int:
        """Return when the part's newest label becomes known, 0 without one. Raises ReplayError where that is no event time."""
        positive = np.flatnonzero(part.pattern > 0)
        if not len(positive):
            return 0
        newest = int(part.transactions.event_time_ms[positive[-1]]) + self._delay_ms
        if newest >= LATEST:
            raise ReplayError(
                f"{self._path.name}, row {int(part.rows[positive[-1]]):,}: its label would come after 2099; choose a smaller "
                "--label-delay-days"
            )
        return newest

    def _refuse_repeated(self, repeated: set[int], first: date | None, last: date | None) -> None:
        """Raise ReplayError where an id stands twice. ``repeated``: hashes that were seen twice."""
        if not repeated:
            return
        met: dict[str, int] = {}
        for part in self._parts(*_span(first, last)):
            ids = part.transactions.event_id
            for at in np.flatnonzero(np.isin(hashes(part.transactions), list(repeated))).tolist():
                row, before = int(part.rows[at]), met.get(ids[at])
                if before is not None:
                    raise ReplayError(
                        f"{self._path.name}, row {row:,}: the {ROLES.id} {ids[at][:80]!r} stands in row {before:,} already, and "
                        "an id means one event; leave one of them out, or give it an id of its own"
                    )
                met[ids[at]] = row

    def batches(self, first: date | None = None, last: date | None = None) -> Iterator[Batch]:
        """Yield the days ``first`` to ``last``, both included, one batch each, days without transactions too.

        Raises ReplayError where the file is not in time order or holds values that no transaction can have.
        """
        start, end = _span(first, last)
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
        name = self._columns.time.name
        for piece in self._file.pieces(self._columns.names, lambda meta: self._may_hold(meta, start, end)):
            times = self._columns.times(piece)
            if not len(times):
                continue
            falls = np.flatnonzero(np.diff(times, prepend=newest) < 0)
            if len(falls):
                raise ReplayError(
                    f"{self._path.name} is not in order of {name}: row {int(piece.rows[falls[0]]):,} is earlier than the row "
                    "before it; sort the file first"
                )
            newest = int(times[-1])
            a = 0 if start is None else int(np.searchsorted(times, start))
            b = len(times) if end is None else int(np.searchsorted(times, end))
            if b > a:
                yield from self._kept(piece.take(slice(a, b)), times[a:b])
            if end is not None and newest >= end:
                return

    def _kept(self, piece: Piece, times: NDArray[np.int64]) -> Iterator[_Part]:
        skipped = self._columns.skipped(piece)
        if skipped.any():
            self._skipped += int(skipped.sum())
            piece, times = piece.take(~skipped), times[~skipped]
        if len(times):
            yield _Part(self._columns.events(piece, times), self._columns.patterns(piece), piece.rows)

    def _may_hold(self, meta: Any, start: int | None, end: int | None) -> bool:
        """Tell whether a row group can hold rows of [start, end), by its statistics where it has them."""
        for i in range(meta.num_columns):
            column = meta.column(i)
            if column.path_in_schema != self._columns.time.column:
                continue
            stats = column.statistics
            if stats is None or not stats.has_min_max or not isinstance(stats.min, datetime):
                return True
            low, high = (value if value.tzinfo is not None else value.replace(tzinfo=UTC) for value in (stats.min, stats.max))
            after = end is not None and low.timestamp() * 1000 >= end
            before = start is not None and high.timestamp() * 1000 < start
            return not (after or before)
        return True

    def _batch(self, parts: list[_Part], day: int) -> Batch:
        joined = _join(parts)
        truth = Truth(joined.pattern, PATTERNS)
        rows = np.flatnonzero(truth.positive)
        known = joined.transactions.event_time_ms[rows] + self._delay_ms
        labels = Labels.of(joined.transactions, rows, np.ones(len(rows), np.bool_), known, np.zeros(len(rows), np.int8))
        return Batch(day * DAY_MS, (day + 1) * DAY_MS, joined.transactions, truth, labels)


def _join(parts: list[_Part]) -> _Part:
    if not parts:
        return _Part(no_events(), np.empty(0, dtype=np.int8), np.empty(0, dtype=np.int64))
    transactions = Events.joined([part.transactions for part in parts])
    return _Part(transactions, *(np.concatenate([getattr(part, name) for part in parts]) for name in ("pattern", "rows")))


def _span(first: date | None, last: date | None) -> tuple[int | None, int | None]:
    """Return epoch ms of the first day's beginning and the last day's end."""
    return day_ms(first) if first else None, day_ms(last + timedelta(days=1)) if last else None


def _day(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, UTC).date()
