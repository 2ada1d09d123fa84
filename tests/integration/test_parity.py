"""Stream against Spark on small archives: a value that differs is named, and history before the asked-for time counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from pyspark.sql import SparkSession

from features.base.active import WORDS
from features.base.events import Score
from features.base.sections import Features
from features.base.settings import FILE_NAME, Settings, load
from features.catalogue.vector import N_STREAM, WIDTH
from features.feast_repo.store import apply
from features.jobs.parity import compare
from features.jobs.sources import NothingThere, archived, history_from
from features.online.cached_reader import Reader
from features.online.store import ProfileReader
from features.skew.differences import Differences
from streams.simulate.card_fraud.options import Options
from streams.writers.archive import Archived
from tests.at_rest import tables
from tests.served import archive, disordered, history, served, tampered, transactions

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings

FEATURE = "mean_7d"


@pytest.fixture(scope="module")
def rows() -> list[Archived]:
    """Eight simulated days with 250 cards in two partitions."""
    return served(transactions(Options(cards=250, terminals=60, seed=3), 8))


def test_the_first_value_that_differs_is_named(spark: SparkSession, rows: list[Archived], tmp_path: Path) -> None:
    settings = load(tmp_path)
    archive(settings, tampered(tampered(rows, 1500, "sum_1d"), 900, FEATURE))
    differences = compare(archived(spark, settings.archive), Features(), partitions=3, buckets=5)
    assert (differences.vectors, differences.features, differences.differing) == (len(rows), N_STREAM, 2)
    assert differences.by_feature == {FEATURE: 1, "sum_1d": 1}
    assert 0 < differences.mean <= differences.largest < 0.1
    event = rows[900].event
    assert isinstance(event, Score)
    first = differences.first[0]
    assert (first.feature, first.event_id, first.subject) == (
        FEATURE,
        event.event.event_id,
        event.event.subject,
    )
    assert (first.kafka_partition, first.kafka_offset) == (rows[900].partition, rows[900].offset)
    assert first.recomputed < first.served

    after = event.event.event_time_ms + 1
    late = compare(archived(spark, settings.archive, history_from(after)), Features(), start_ms=after, partitions=2)
    assert late.by_feature == {"sum_1d": 1}
    assert 0 < late.vectors < len(rows)


def test_vectors_of_another_schema_are_history(spark: SparkSession, rows: list[Archived], tmp_path: Path) -> None:
    settings = load(tmp_path)
    old = len(rows) // 2
    other = []
    for row in rows[:old]:
        assert isinstance(row.event, Score)
        event = msgspec.structs.replace(row.event, schema="fraud_v0-0", features=row.event.features[:16])
        other.append(Archived(row.topic, row.partition, row.offset, event))
    archive(settings, [*other, *rows[old:]])
    assert compare(archived(spark, settings.archive), Features()) == Differences(len(rows) - old, N_STREAM)


def test_nothing_to_read_is_said(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(NothingThere, match=rf"nothing is archived in .*; publish {WORDS.events} first"):
        archived(spark, tmp_path)


def test_the_command_compares_what_was_read_from_feast_when_asked(platform: Settings, tmp_path: Path) -> None:
    """On Redis and the offline store; one bit of a terminal's column is changed, and told with exit code 1."""
    (tmp_path / FILE_NAME).write_text(f"[ports]\nredis = {platform.ports.redis}\n[labels]\ndelay_days = 3.0\n")
    settings = load(tmp_path)
    apply(settings)
    events, labels = history(Options(cards=100, terminals=60, seed=3), 20, "small-")
    tables(events, labels, settings.labels, settings.feast).write(settings)
    reader = Reader(ProfileReader(settings), settings.feast)
    rows = served(disordered(events, twice=0.0), profiles=reader, labels=settings.labels)
    changed = rows[1500]
    assert isinstance(changed.event, Score)
    archive(settings, tampered(rows, 1500, "terminal_count_30d"))

    command = [sys.executable, "-m", "infra.cli.main", "--dir", str(tmp_path), "parity", "--profiles", "--buckets", "2", "--json"]
    process = subprocess.run(command, capture_output=True, check=False, cwd=Path(__file__).parents[2])
    assert process.returncode == 1, process.stderr.decode()
    differences = msgspec.json.decode(process.stdout, type=Differences)
    assert (differences.vectors, differences.features, differences.by_feature) == (len(rows), WIDTH, {"terminal_count_30d": 1})
    assert differences.first[0].event_id == changed.event.event.event_id
