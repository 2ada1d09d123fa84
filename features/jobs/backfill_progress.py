"""Where backfilled vectors lie in the offline store, what is done of them, and what is left to do.

::

    feast/offline/history_backfill/schema=HASH/day=2026-01-05/bucket-00003-of-00016.parquet   one file a day and bucket of
    subjects
                                            day=2026-01-05/_done.json                      the day is complete
                                            _work/2026-01-05_2026-02-05_of-16/00003.json   the bucket is, in the days in hand

Names are a function of what is in a file, and a file appears whole, by a rename: doing a piece of work again changes nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from features.archive.days import day_name, day_number
from features.base.files import UNFINISHED, write_json
from features.base.settings import Settings
from features.catalogue.vector import vector_schema

DONE = "_done.json"


class DoneDay(msgspec.Struct, frozen=True):
    """What ``_done.json`` says: a complete day, its rows, and how many files they are spread over at most."""

    schema: str
    rows: int
    buckets: int


def folder(settings: Settings) -> Path:
    """Return the folder of the vectors of the settings' schema."""
    return settings.feature_repo / "offline" / "history_backfill" / f"schema={vector_schema(settings.features)}"


def file_name(bucket: int, buckets: int) -> str:
    return f"bucket-{bucket:05d}-of-{buckets:05d}.parquet"


def done_days(root: Path) -> dict[int, int]:
    """Return the complete days under ``root``, and the rows of each."""
    paths = {day_number(path.parent.name): path for path in root.glob(f"day=*/{DONE}")}
    return {day: msgspec.json.decode(path.read_bytes(), type=DoneDay).rows for day, path in paths.items()}


def runs_of(days: Iterable[int], longest: int) -> list[tuple[int, int]]:
    """Return the days as [first, end) stretches without gaps, of at most ``longest`` days each."""
    stretches: list[tuple[int, int]] = []
    for day in sorted(days):
        if stretches and stretches[-1][1] == day and day - stretches[-1][0] < longest:
            stretches[-1] = (stretches[-1][0], day + 1)
        else:
            stretches.append((day, day + 1))
    return stretches


@dataclass(frozen=True)
class Stretch:
    """Days [first, end) under ``root`` that are worked on together, in ``buckets`` pieces."""

    root: Path
    first: int
    end: int
    buckets: int

    @property
    def days(self) -> range:
        return range(self.first, self.end)

    @property
    def work(self) -> Path:
        """Return the folder of the markers."""
        name = f"{day_name(self.first)[4:]}_{day_name(self.end)[4:]}_of-{self.buckets}"
        return self.root / "_work" / name

    def file(self, day: int, bucket: int) -> Path:
        return self.root / day_name(day) / file_name(bucket, self.buckets)

    def pending(self) -> list[int]:
        """Return the buckets that are not done."""
        return [bucket for bucket in range(self.buckets) if not self._marker(bucket).exists()]

    def rows(self) -> int:
        """Count the rows of the buckets that are done."""
        return sum(sum(read.values()) for read in self._read_markers())

    def bucket_done(self, bucket: int, rows: dict[int, int]) -> None:
        """Mark ``bucket`` as done: all its files are there, with so many rows by day."""
        marker = self._marker(bucket)
        marker.parent.mkdir(parents=True, exist_ok=True)
        write_json(marker, {str(day): count for day, count in rows.items()})

    def finish(self, schema: str) -> None:
        """Write of each day that all buckets are done, their vectors of one ``schema``; drop the markers."""
        markers = self._read_markers()
        for day in self.days:
            rows = sum(read.get(str(day), 0) for read in markers)
            (self.root / day_name(day)).mkdir(parents=True, exist_ok=True)
            # What a task that was killed had begun.
            for hidden in (self.root / day_name(day)).glob(f".bucket-*{UNFINISHED}"):
                hidden.unlink(missing_ok=True)
            write_json(self.root / day_name(day) / DONE, DoneDay(schema, rows, self.buckets))
        shutil.rmtree(self.work, ignore_errors=True)

    def _marker(self, bucket: int) -> Path:
        return self.work / f"{bucket:05d}.json"

    def _read_markers(self) -> list[dict[str, int]]:
        return [msgspec.json.decode(path.read_bytes(), type=dict[str, int]) for path in sorted(self.work.glob("[0-9]*.json"))]


def started(root: Path, first: int, end: int) -> int | None:
    """Tell into how many buckets a run that was broken off had divided the days [first, end)."""
    name = f"{day_name(first)[4:]}_{day_name(end)[4:]}_of-"
    counts = [path.name.removeprefix(name) for path in sorted((root / "_work").glob(f"{name}*"))]
    return int(counts[-1]) if counts else None


def remove(root: Path, days: Sequence[int]) -> None:
    """Take away what is there of ``days``, the word that they are complete first; markers of broken-off runs too."""
    if not days:
        return
    for day in days:
        (root / day_name(day) / DONE).unlink(missing_ok=True)
    for day in days:
        shutil.rmtree(root / day_name(day), ignore_errors=True)
    shutil.rmtree(root / "_work", ignore_errors=True)
