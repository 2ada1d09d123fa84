"""Backfill: the subject features of any stretch of days, computed from the log's transactions into the offline store.

A new feature changes the schema's hash, so its vectors go into a folder of their own, beside the running stream's. The work is
cut into stretches of days and, within those, into buckets of subjects. What a broken-off run has finished is not done again.

A task reads its bucket in the log's order and holds no more than the subjects' states, so a subject with a long log costs time
and not memory. Owner and counterpart columns hold their missing values: a join fills them as of each event
(``features.offline.point_in_time``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.archive.days import day_folders, day_number, rows
from features.base.active import ROLES
from features.base.durations import DAY_MS
from features.base.sections import Features
from features.catalogue.vector import vector_schema
from features.jobs.backfill_progress import Stretch, done_days, remove, runs_of, started
from features.jobs.sources import EVENTS, archived, history_from

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

#: Rows of a bucket, history included, where the number of buckets is not given: half a minute's work on a busy core.
ROWS_A_BUCKET = 1_000_000
FEWEST_BUCKETS = 4
#: Days worked on together: each stretch reads a whole history before it (half a year), so longer ones read less.
DAYS_AT_ONCE = 62
_LOOK_S = 1.0


@dataclass(frozen=True)
class Progress:
    """How far a backfill is: days and, in the stretch in hand, buckets; rows written by this run."""

    days: int
    of_days: int
    buckets: int
    of_buckets: int
    rows: int
    seconds: float


@dataclass(frozen=True)
class Backfilled:
    """``days`` were done with ``rows`` vectors; ``skipped`` days were there already."""

    days: int
    skipped: int
    rows: int
    seconds: float
    folder: Path


def backfill(
    spark: SparkSession,
    log: Path,
    root: Path,
    first_day: int,
    end_day: int,
    features: Features,
    *,
    buckets: int | None = None,
    days_at_once: int = DAYS_AT_ONCE,
    force: bool = False,
    tell: Callable[[Progress], None] = lambda _: None,
) -> Backfilled:
    """Backfill the days [first_day, end_day) into ``root`` (``subject_backfill.folder``) from ``log`` (an archive's folder), by
    ``settings.features``, of whose schema the folder is.

    ``tell`` is called about once a second. Days that are there are done anew where the log has other rows of them by now (events
    that came late), and all of them with ``force``. A broken-off stretch goes on in the buckets that it began with. Raises
    features.jobs.sources.NothingThere, and what Spark raises.
    """
    begun = time.monotonic()
    wanted = range(first_day, end_day)
    remove(root, wanted if force else _changed(log, root, wanted))
    pending = set(wanted) - done_days(root).keys()
    written = days = 0
    for first, end in runs_of(pending, days_at_once):
        stretch = Stretch(root, first, end, started(root, first, end) or buckets or _buckets(log, first, end))
        look = _Look(stretch, days, len(pending), written - stretch.rows(), begun)
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(_run, spark, log, stretch, features)
            while not _ended(job):
                tell(look())
        job.result()
        tell(look())
        written, days = look().rows, days + end - first
        stretch.finish(vector_schema(features))
    return Backfilled(days, len(wanted) - len(pending), written, time.monotonic() - begun, root)


@dataclass(frozen=True)
class _Look:
    """Asks the markers how far a stretch is, after ``days`` of ``of_days`` days; ``rows`` to be added to theirs."""

    stretch: Stretch
    days: int
    of_days: int
    rows: int
    begun: float

    def __call__(self) -> Progress:
        done = self.stretch.buckets - len(self.stretch.pending())
        days = self.days + (len(self.stretch.days) if done == self.stretch.buckets else 0)
        seconds = time.monotonic() - self.begun
        return Progress(days, self.of_days, done, self.stretch.buckets, self.rows + self.stretch.rows(), seconds)


def _ended(job: Future[None]) -> bool:
    return bool(wait([job], _LOOK_S).done)


def _changed(log: Path, root: Path, wanted: range) -> list[int]:
    """Find the done days with another number of rows than the log has of them. The log has none of a day that it has dropped."""
    done = done_days(root)
    folders = day_folders(log / "scores", wanted.start * DAY_MS, wanted.stop * DAY_MS) if done else []
    counts = {day_number(folder.name): rows([folder]) for folder in folders}
    return [day for day in wanted if day in done and counts.get(day, done[day]) != done[day]]


def _buckets(log: Path, first: int, end: int) -> int:
    start_ms = history_from(first * DAY_MS)
    return max(FEWEST_BUCKETS, -(-rows(day_folders(log / "scores", start_ms, end * DAY_MS)) // ROWS_A_BUCKET))


def _run(spark: SparkSession, log: Path, stretch: Stretch, features: Features) -> None:
    left = stretch.pending()
    if not left:
        return
    history = history_from(stretch.first * DAY_MS)
    transactions = archived(spark, log, history, stretch.end * DAY_MS, EVENTS)
    bucketed(transactions, stretch.buckets, left).mapInArrow(_task(stretch, features), "rows long").collect()


def bucketed(transactions: DataFrame, buckets: int, wanted: Iterable[int]) -> DataFrame:
    """Return the rows of the wanted buckets of subjects, bucket n in partition n, each in the order of the log."""
    from pyspark.sql import functions as f

    bucket = f.pmod(f.xxhash64(ROLES.subject), f.lit(buckets)).cast("int")
    rows = transactions.select("*", bucket.alias("bucket")).where(f.col("bucket").isin(*wanted))
    return rows.repartitionById(buckets, "bucket").drop("bucket").sortWithinPartitions("kafka_partition", "kafka_offset")


def _task(stretch: Stretch, features: Features) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    left = set(stretch.pending())

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        from pyspark import TaskContext

        from features.jobs.backfill_bucket import write_bucket

        context = TaskContext.get()
        assert context is not None
        bucket = context.partitionId()
        written = write_bucket(stretch, bucket, batches, features) if bucket in left else sum(batch.num_rows for batch in batches)
        yield pa.RecordBatch.from_pydict({"rows": [written]})

    return task
