"""Many small Parquet files become a few, while anybody reads.

A folder's new contents are made beside it: the files that stay, as hard links, and for each run of small ones a file with their
rows, named by the first offset of the first and the last of the last. Then the two folders change places, in one step::

    scores/day=2026-01-05/   a b c d L        .compaction/scores/day=2026-01-05/   ad L
                       <------------- exchange ------------->
    scores/day=2026-01-05/   ad L             .compaction/scores/day=2026-01-05/   a b c d L

The old one is removed a minute later.

- **A listing is of one folder or of the other**, so Spark, Feast, pyarrow and polars see each record once at any moment, without
  knowing of any of this; DuckDB, where it is handed a list of files (docs/archive.md says what its own glob does).
- **A crash** leaves the old folder in its place, or the new one; what lies in ``.compaction`` is never of use and goes at the
  next turn. Nothing needs mending.
- **A reader that had listed the old files and opens one afterwards** is told that it is not there (never half the rows), and
  reads again. Readers of ours hold ``features.archive.locks.reading``, and meanwhile no folder is exchanged.

Memory: one batch of BATCH_ROWS rows, whatever the size of the files.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.archive import exchange
from features.archive.locks import compacting
from features.base import files

#: Files of this size are left alone; what is made of smaller ones is of twice this size at most.
SMALL_BYTES = 64 * 1024 * 1024
BATCH_ROWS = 16_384
#: A replaced folder stays for so long: a listing of it that had begun would miss, without an error, what is removed meanwhile.
GRACE_S = 60.0
_REPLACED = ".replaced"
NAME = re.compile(r"(?P<topic>[a-z-]+)-(?P<partition>\d+)-(?P<first>\d{12})-(?P<last>\d{12})\.parquet")


@dataclass(frozen=True, slots=True)
class Place:
    """One folder to compact. ``archive``: where its locks lie; ``staging``: where the new contents are made, read by nobody."""

    archive: Path
    folder: Path
    staging: Path
    schema: pa.Schema


@dataclass(frozen=True, slots=True)
class Named:
    """A file by what its name says: records of one partition, from offset ``first`` to ``last``."""

    path: Path
    topic: str
    partition: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a turn did: files before, files made of them, and their rows."""

    before: int = 0
    after: int = 0
    rows: int = 0

    def __add__(self, other: Compacted) -> Compacted:
        return Compacted(self.before + other.before, self.after + other.after, self.rows + other.rows)


class ReadersThere(Exception):
    """Somebody reads the archive: try again later."""


class CompactionFailed(RuntimeError):
    """What was made does not have the rows of what it was made of; nothing was changed."""


def named(folder: Path) -> list[Named]:
    """Return the files of ``folder`` that are named by partition and offsets, in this order."""
    entries = []
    for path in folder.iterdir() if folder.is_dir() else ():
        name = NAME.fullmatch(path.name)
        if name:
            entries.append(Named(path, name["topic"], int(name["partition"]), int(name["first"]), int(name["last"])))
    return sorted(entries, key=lambda file: (file.topic, file.partition, file.first))


def last_offsets(folder: Path) -> dict[int, int]:
    """Return the highest offset that the files of ``folder`` cover, by partition."""
    return covered(path.name for path in (folder.iterdir() if folder.is_dir() else ()))


def covered(names: Iterable[str]) -> dict[int, int]:
    """Return the highest offset that files of these names cover, by partition."""
    highest: dict[int, int] = {}
    for name in names:
        if match := NAME.fullmatch(name):
            partition = int(match["partition"])
            highest[partition] = max(highest.get(partition, -1), int(match["last"]))
    return highest


def runs(folder: Path, least: int) -> list[list[Named]]:
    """Find runs of ``least`` and more small files of one partition that follow each other, oldest first.

    A file whose offsets overlap its predecessor's ends a run: the archive writes none, and guessing would lose or repeat.
    """
    ended: list[list[Named]] = []
    run: list[Named] = []
    size = 0
    for file in named(folder):
        own = file.path.stat().st_size
        small = own < SMALL_BYTES
        follows = bool(run) and run[-1].partition == file.partition and run[-1].topic == file.topic and run[-1].last < file.first
        if not (small and follows and size + own <= 2 * SMALL_BYTES):
            ended.append(run)
            run, size = [], 0
        if small:
            run.append(file)
            size += own
    return [stretch for stretch in (*ended, run) if len(stretch) >= max(least, 2)]


def compact(place: Place, least: int = 2) -> Compacted:
    """Merge the runs of ``least`` and more small files of one folder.

    Raises ReadersThere, features.archive.exchange.ExchangeUnsupported and CompactionFailed; the folder is as it was then.
    """
    _remove_replaced(place.staging)
    if not runs(place.folder, least):
        return Compacted()
    with compacting(place.archive) as alone:
        if not alone:
            raise ReadersThere(f"{place.folder}: somebody reads the archive")
        shutil.rmtree(place.staging, ignore_errors=True)
        chosen = runs(place.folder, least)
        if not chosen:
            return Compacted()
        rows = sum(_merge(run, place) for run in chosen)
        _link(place.folder, place.staging, {file.path for run in chosen for file in run})
        files.sync(place.staging)
        exchange.exchange(place.folder, place.staging)
        place.staging.rename(place.staging.with_name(f"{place.staging.name}.{time.time_ns()}{_REPLACED}"))
    return Compacted(sum(len(run) for run in chosen), len(chosen), rows)


def _remove_replaced(staging: Path) -> None:
    """Remove the folders that were replaced long enough ago."""
    for old in staging.parent.glob(f"{staging.name}.*{_REPLACED}"):
        replaced_ns = old.name.removesuffix(_REPLACED).rpartition(".")[2]
        if replaced_ns.isdecimal() and time.time_ns() - int(replaced_ns) > GRACE_S * 1e9:
            shutil.rmtree(old, ignore_errors=True)


def _merge(run: list[Named], place: Place) -> int:
    """Write the rows of a run as one file; return how many."""
    place.staging.mkdir(parents=True, exist_ok=True)
    first, last = run[0], run[-1]
    path = place.staging / f"{first.topic}-{first.partition}-{first.first:012d}-{last.last:012d}.parquet"
    expected = written = 0
    with pq.ParquetWriter(path, place.schema, compression="zstd") as writer:
        for file in run:
            expected += pq.read_metadata(file.path).num_rows
            for batch in _batches(file.path, place.schema):
                writer.write_batch(batch)
                written += batch.num_rows
    files.sync(path)
    if written != expected or pq.read_metadata(path).num_rows != expected:
        raise CompactionFailed(f"{path} has {written} rows and should have {expected}; {place.folder} is left as it was")
    return written


def _batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as source:
        names = set(source.schema_arrow.names)
        for batch in source.iter_batches(BATCH_ROWS):
            # A file of an older version may lack a column that has come since: nobody knew it then.
            columns = [
                batch.column(field.name).cast(field.type) if field.name in names else pa.nulls(len(batch), field.type)
                for field in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _link(folder: Path, staging: Path, without: set[Path]) -> None:
    """Link the visible files of ``folder`` under ``staging``, too, subfolders included. Hidden ones are what crashes left."""
    for path in folder.rglob("*"):
        if path.is_file() and path not in without and not path.name.startswith("."):
            target = staging / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)


def compact_all(places: Iterable[Place]) -> Compacted:
    """Merge the small files of one folder after the other, the locks let go in between. Raises as ``compact``."""
    return sum((compact(place) for place in places), Compacted())
