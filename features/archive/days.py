"""The days of the archive: where each lies, and which of them nothing more is to come for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from features.archive import generations
from features.archive.compaction import named
from features.archive.locks import reading
from features.base.durations import DAY_MS, HOUR_MS

#: How far into the next day a partition must have got before its day counts as complete: records come a little out of order.
MARGIN_MS = HOUR_MS
#: A partition without a record for so many days has gone quiet; the others' progress speaks for it.
QUIET_DAYS = 2


def day_name(day: int) -> str:
    """Return ``day=YYYY-MM-DD`` of a day counted since 1970."""
    return f"day={datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}"


def day_number(name: str) -> int:
    """Return the day of a name, the inverse of ``day_name``. Raises ValueError for another name."""
    when = datetime.strptime(name, "day=%Y-%m-%d").replace(tzinfo=UTC)
    return int(when.timestamp()) // 86_400


def day_folders(folder: Path, start_ms: int | None = None, end_ms: int | None = None) -> list[Path]:
    """Return the ``day=YYYY-MM-DD`` folders with files that can hold event times in [start_ms, end_ms), oldest first."""
    first = "" if start_ms is None else day_name(start_ms // DAY_MS)
    last = "~" if end_ms is None else day_name((end_ms - 1) // DAY_MS)
    return [day for day in sorted(folder.glob("day=*")) if first <= day.name <= last and any(day.glob("[!._]*.parquet"))]


def newest_complete_day(scores: Path) -> int | None:
    """Find the newest day under ``scores`` whose every partition is archived MARGIN_MS into the next day, or has gone quiet.

    Nothing more comes for the partitions of an earlier generation of the log: those that followed are waited for instead.

    None where there is none. Labels and lateness aside, nothing more comes for it and the days before it.
    """
    with reading(scores.parent):
        days = {day_number(folder.name): _last_files(folder) for folder in day_folders(scores)}
        newest = max(days, default=0)
        for day in sorted(days, reverse=True):
            if day < newest and all(_is_past(days, partition, day, newest) for partition in _waited(days, day)):
                return day
    return None


def _waited(days: dict[int, dict[int, Path]], day: int) -> set[int]:
    """Return the partitions whose progress tells whether ``day`` is complete."""
    held = set(days[day])
    after = set(days.get(day + 1, {}))
    newest = max(map(generations.of, held | after))
    current = {partition for partition in held if generations.of(partition) == newest}
    return current if current == held else {partition for partition in held | after if generations.of(partition) == newest}


def _is_past(days: dict[int, dict[int, Path]], partition: int, day: int, newest: int) -> bool:
    if newest > day + QUIET_DAYS or any(partition in days.get(later, {}) for later in range(day + 2, newest + 1)):
        return True
    file = days.get(day + 1, {}).get(partition)
    return file is not None and _newest_ms(file) >= (day + 1) * DAY_MS + MARGIN_MS


def _last_files(folder: Path) -> dict[int, Path]:
    """Return each partition's file with the highest offsets."""
    return {file.partition: file.path for file in named(folder)}


def _newest_ms(file: Path) -> int:
    return int(max(pq.read_table(file, columns=["event_time_ms"]).column("event_time_ms").to_numpy(), default=0))


def rows(folders: list[Path]) -> int:
    """Count the rows of the Parquet files in ``folders``, by their footers."""
    return sum(pq.read_metadata(file).num_rows for folder in folders for file in folder.glob("[!._]*.parquet"))


def newest_event_ms(folder: Path) -> int | None:
    """Return the newest event time under ``folder``, read from the last day only; None where there is none."""
    with reading(folder.parent):
        for day in reversed(day_folders(folder)):
            newest = max((_newest_ms(file) for file in day.glob("[!._]*.parquet")), default=0)
            if newest:
                return newest
    return None
