"""The backfill on a real session: the bits that the stream served, once, whatever breaks it off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from features.archive.days import day_folders, day_name, day_number
from features.base.settings import Settings, load
from features.catalogue.vector import N_STREAM
from features.jobs.backfill import Backfilled, Progress, backfill
from features.jobs.backfill_progress import Stretch, done_days, folder
from features.transform.arrow import in_log_order, vectors
from streams.simulate.card_fraud.options import Options
from streams.writers.archive import Archived
from tests.served import archive, served, transactions

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings

DAYS, BUCKETS = 9, 3


@pytest.fixture(scope="module")
def rows() -> list[Archived]:
    return served(transactions(Options(cards=120, terminals=40, seed=5), DAYS))


@pytest.fixture
def settings(rows: list[Archived], tmp_path: Path) -> Settings:
    settings = load(tmp_path)
    archive(settings, rows)
    return settings


def first_day(settings: Settings) -> int:
    return day_number(day_folders(settings.archive / "scores")[0].name)


def files(root: Path) -> dict[str, float]:
    """Every Parquet file under ``root`` and when it was written."""
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in root.rglob("*.parquet")}


def assert_as_served(settings: Settings, root: Path, days: range) -> None:
    columns = ["kafka_partition", "kafka_offset", "event_time_ms", "features"]
    filled = in_log_order(ds.dataset(root, format="parquet").to_table(columns))
    low, high = days.start * 86_400_000, days.stop * 86_400_000
    served = ds.dataset(settings.archive / "scores", format="parquet").to_table(columns)
    served = in_log_order(served.filter((ds.field("event_time_ms") >= low) & (ds.field("event_time_ms") < high)))
    assert filled.num_rows == served.num_rows > 0
    assert filled.select(columns[:3]).equals(served.select(columns[:3]))
    left, right = (vectors(table.column("features"))[:, :N_STREAM] for table in (filled, served))
    np.testing.assert_array_equal(left.view(np.uint32), right.view(np.uint32))


def test_what_was_served_is_filled_in_and_only_once(spark: SparkSession, settings: Settings) -> None:
    root, first = folder(settings), first_day(settings)
    progress: list[Progress] = []

    def run(end: int, days_at_once: int = 9, force: bool = False) -> Backfilled:
        # From the fourth day on: the days before are history.
        return backfill(
            *(spark, settings.archive, root, first + 3, end, settings.features),
            buckets=BUCKETS,
            days_at_once=days_at_once,
            force=force,
            tell=progress.append,
        )

    done = run(first + 6, days_at_once=2)
    assert (done.days, done.skipped) == (3, 0)
    assert done.rows == ds.dataset(root, format="parquet").count_rows()
    assert (progress[-1].days, progress[-1].of_days, progress[-1].rows) == (3, 3, done.rows)
    assert_as_served(settings, root, range(first + 3, first + 6))

    before = files(root)
    done = run(first + DAYS)
    assert (done.days, done.skipped) == (DAYS - 6, 3)
    assert {name: at for name, at in files(root).items() if name in before} == before
    assert_as_served(settings, root, range(first + 3, first + DAYS))
    assert done_days(root).keys() == set(range(first + 3, first + DAYS))

    done = run(first + 6, force=True)
    assert (done.days, done.skipped) == (3, 0)
    assert files(root).keys() >= before.keys()
    assert_as_served(settings, root, range(first + 3, first + DAYS))


def test_a_day_with_other_rows_than_before_is_done_anew(spark: SparkSession, settings: Settings) -> None:
    """A file of the archive comes late: the day that it is of is done again, and no other."""
    root, first = folder(settings), first_day(settings)
    late = max((settings.archive / "scores" / day_name(first + 1)).glob("*.parquet"))
    aside = settings.dir / late.name
    late.rename(aside)
    arguments = (spark, settings.archive, root, first, first + 3, settings.features)
    missing = backfill(*arguments, buckets=BUCKETS, force=True).rows
    aside.rename(late)
    done = backfill(*arguments, buckets=BUCKETS)
    assert (done.days, done.skipped) == (1, 2)
    assert sum(done_days(root)[day] for day in range(first, first + 3)) == missing + pq.read_metadata(late).num_rows
    assert backfill(*arguments, buckets=BUCKETS).skipped == 3


def test_a_run_that_breaks_off_goes_on(spark: SparkSession, settings: Settings) -> None:
    root, first = folder(settings), first_day(settings)
    stretch = Stretch(root, first, first + DAYS, BUCKETS)
    # Nothing can be renamed onto a folder: the last bucket's task fails at its first day.
    obstacle = stretch.file(first, BUCKETS - 1)
    (obstacle / "in the way").mkdir(parents=True)
    with pytest.raises(PySparkException):
        backfill(spark, settings.archive, root, first, first + DAYS, settings.features, buckets=BUCKETS)
    assert not done_days(root)
    assert BUCKETS - 1 in stretch.pending()
    done_before = [b for b in range(BUCKETS) if b not in stretch.pending()]
    assert done_before, "the first buckets were done"
    before = {name: at for name, at in files(root).items() if any(f"bucket-{b:05d}" in name for b in done_before)}

    (obstacle / "in the way").rmdir()
    obstacle.rmdir()
    # The broken-off run's division is kept, though another is asked for.
    done = backfill(spark, settings.archive, root, first, first + DAYS, settings.features, buckets=BUCKETS + 4)
    assert done.days == DAYS
    assert done.rows < ds.dataset(root, format="parquet").count_rows(), "buckets that were done were not done again"
    assert {name: at for name, at in files(root).items() if name in before} == before
    assert_as_served(settings, root, range(first, first + DAYS))
    assert not list(root.rglob(".bucket*"))
