"""Profiles and training sets on a real Spark, a real Feast store and a real Redis."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

import tests.object_store  # noqa: F401 - registers strict://
from features.archive import mirror, stores
from features.archive.layout import owner_profile_folder
from features.base.durations import DAY_MS
from features.base.settings import FILE_NAME, Settings, load
from features.catalogue.vector import INDEX, NAMES, SCHEMA, WIDTH
from features.feast_repo.store import apply
from features.jobs.daily_profiles import daily_profiles
from features.jobs.labelled_rows import SCORES, clean_transactions
from features.jobs.publish_profiles import publish_profiles
from features.jobs.sources import archived
from features.jobs.training_set import MANIFEST, TrainingSet, read, training_set
from features.offline.as_of import joined
from features.online.store import ProfileReader
from features.transform.arrow import vectors
from tests.integration import synthetic_archive

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings

ROWS, DAYS = 3000, 20


@pytest.fixture(scope="module")
def settings(platform: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An archive and a feature store of this module's own, on the shared Redis."""
    settings = load(tmp_path_factory.mktemp("sets"))
    settings.ports.redis = platform.ports.redis
    apply(settings)
    return settings


@pytest.fixture(scope="module")
def newest(settings: Settings) -> int:
    return synthetic_archive.write(settings, ROWS, DAYS)


@pytest.fixture(scope="module")
def profiles(settings: Settings, newest: int, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> int:
    folder = tmp_path_factory.mktemp("profiles") / "rows"
    # What an earlier run had, with more files.
    (owner_profile_folder(settings) / "daily-00099.parquet").write_bytes(b"to be gone")
    rows = clean_transactions(archived(spark, settings.archive, None, newest, SCORES), newest)
    daily_profiles(rows, newest).write.parquet(str(folder))
    return publish_profiles(settings, folder)


def test_profiles_are_offline_and_online(settings: Settings, profiles: int) -> None:
    assert profiles > 100
    assert not (owner_profile_folder(settings) / "daily-00099.parquet").exists()
    reader = ProfileReader(settings)
    latest = reader.read(["c0", "c1", "nobody"], ["t1"] * 3)
    reader.close()
    assert (latest.owner_ts_ms[:2] % DAY_MS == 0).all()
    assert (latest.owner_ts_ms > 0).tolist() == [True, True, False]


def test_a_training_set_holds_vectors_profiles_and_outcomes(
    settings: Settings, newest: int, profiles: int, spark: SparkSession, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    low = newest - 12 * DAY_MS
    folders = sorted((settings.archive / "scores").glob("day=*"))
    steps: list[tuple[int, int, int]] = []
    (out / "day=1970-01-01").mkdir(parents=True)
    (out / "day=1970-01-01" / "old.parquet").write_bytes(b"the set before")
    fault = (newest - 5 * DAY_MS, newest - 4 * DAY_MS)
    made = training_set(spark, settings, folders, tmp_path, out, low, newest, [fault], lambda *step: steps.append(step))
    table = read(out)
    assert made == msgspec.json.decode((out / MANIFEST).read_bytes(), type=TrainingSet)
    assert (made.schema, made.features, made.settled_ms) == (SCHEMA, NAMES, newest - settings.labels.delay_ms)
    assert (steps[-1][0], steps[-1][2]) == (steps[-1][1], made.rows)
    assert table.num_rows == made.rows > 1000
    time = table.column("event_time_ms").to_numpy()
    assert ((time >= low) & (time <= newest) & ~((time >= fault[0]) & (time < fault[1]))).all()
    known, positive = table.column("known").to_numpy(), table.column("positive").to_numpy()
    assert (made.known, made.positives) == (known.sum(), positive.sum())
    assert 0 < made.positives < made.known < made.rows
    assert known[time <= made.settled_ms].all()

    matrix = vectors(table.column("features"))
    assert matrix.shape == (made.rows, WIDTH)
    assert np.isfinite(matrix).all()
    # The archive's vectors are noise; what is as of the event is not.
    ratio = matrix[:, INDEX["ratio_to_usual_amount"]]
    profile_as_of = joined(settings, whole_rows(settings, table))[:, INDEX["ratio_to_usual_amount"]]
    np.testing.assert_array_equal(ratio, profile_as_of)
    assert (ratio != 1.0).mean() > 0.5


def test_rows_in_an_object_store_give_the_same_profiles_and_the_same_set(
    settings: Settings, newest: int, profiles: int, spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / FILE_NAME).write_text(f'[storage]\nrows = "strict:/{tmp_path}/bucket"\n')
    elsewhere = load(tmp_path / "there")
    elsewhere.ports.redis = settings.ports.redis
    apply(elsewhere)
    for path in (settings.rows / "archive").rglob("*.parquet"):
        stores.rows(elsewhere).write(str(path.relative_to(settings.rows)), path.read_bytes())
    archive = mirror.archive(elsewhere)
    rows = clean_transactions(archived(spark, archive, None, newest, SCORES), newest)
    daily_profiles(rows, newest).write.parquet(str(tmp_path / "rows"))
    assert publish_profiles(elsewhere, tmp_path / "rows") == profiles
    low, sets = newest - 12 * DAY_MS, list[pa.Table]()
    for platform, root in ((settings, settings.archive), (elsewhere, archive)):
        out, work = tmp_path / f"set-{len(sets)}", tmp_path / f"work-{len(sets)}"
        work.mkdir()
        training_set(spark, platform, sorted((root / "scores").glob("day=*")), work, out, low, newest, [], lambda *_: None)
        sets.append(read(out).sort_by("transaction_id"))
    assert sets[0].num_rows > 1000
    assert sets[1].equals(sets[0])


def whole_rows(settings: Settings, table: pa.Table) -> pa.Table:
    """The archived rows of a set, in its order."""
    import pyarrow.dataset as ds

    rows = ds.dataset(settings.archive / "scores", format="parquet").to_table()
    place = {name: i for i, name in enumerate(rows.column("transaction_id").to_pylist())}
    return rows.take(pa.array([place[name] for name in table.column("transaction_id").to_pylist()]))
