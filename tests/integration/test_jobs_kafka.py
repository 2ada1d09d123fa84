"""The jobs on Kafka's topics, through Spark's connector and a real broker: committed records, decoded as the stream decodes."""

from __future__ import annotations

import uuid
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.dataset as ds
import pytest
from pyspark.sql import SparkSession

from features.archive.days import day_folders, day_number
from features.base.events import Score
from features.base.sections import Features
from features.base.settings import Settings, load
from features.catalogue.vector import N_STREAM, unpacked
from features.jobs.backfill import backfill
from features.jobs.backfill_progress import folder
from features.jobs.parity import compare
from features.jobs.sources import from_topic, stage
from features.skew.differences import Differences
from features.transform.arrow import in_log_order, vectors
from infra.cli.job_days import whole_days
from streams.kafka.clients import producer
from streams.kafka.create_topics import create
from streams.simulate.card_fraud.options import Options
from streams.topics import Topic
from streams.writers.archive import Archived
from tests.served import served, tampered, transactions

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings

PARTITIONS = 2
FEATURE = "mean_7d"


@pytest.fixture(scope="module")
def rows() -> list[Archived]:
    return served(transactions(Options(cards=100, terminals=40, seed=8), 6), PARTITIONS)


@pytest.fixture
def topic(platform: Settings) -> str:
    name = f"jobs-{uuid.uuid4().hex[:8]}"
    create(platform, [Topic(name, PARTITIONS)])
    return name


def publish(settings: Settings, topic: str, rows: list[Archived]) -> None:
    """As one committed transaction between two that are not: what was aborted must not be read."""
    sender = producer(settings, transactional_id=f"test-{topic}")
    sender.init_transactions(30)

    def send(row: Archived) -> None:
        assert isinstance(row.event, Score)
        sender.produce(topic, msgspec.json.encode(row.event), row.event.event.subject.encode(), row.partition)

    for part, commit in ((rows[:50], False), (rows, True), (rows[:50], False)):
        sender.begin_transaction()
        sender.produce(topic, b"no event", b"key", 0)
        for row in part:
            send(row)
        # A transaction that the broker has heard nothing of cannot be aborted.
        assert sender.flush(30) == 0
        sender.commit_transaction(30) if commit else sender.abort_transaction(30)


def test_served_vectors_are_compared_where_they_were_published(
    platform: Settings, spark: SparkSession, topic: str, rows: list[Archived]
) -> None:
    publish(platform, topic, tampered(rows, 400, FEATURE))
    differences = compare(from_topic(spark, platform, topic), Features(), partitions=2, buckets=4)
    assert (differences.vectors, differences.features, differences.by_feature) == (len(rows), N_STREAM, {FEATURE: 1})
    event = rows[400].event
    assert isinstance(event, Score)
    assert differences.first[0].event_id == event.event.event_id
    after = event.event.event_time_ms + 1
    later = compare(from_topic(spark, platform, topic), Features(), after, partitions=2, buckets=4)
    assert later == Differences(later.vectors, N_STREAM)
    assert 0 < later.vectors < len(rows)


def test_a_topic_of_scores_is_backfilled(
    platform: Settings, spark: SparkSession, topic: str, rows: list[Archived], tmp_path: Path
) -> None:
    publish(platform, topic, rows)
    log = tmp_path / "staged"
    stage(spark, platform, topic, log)
    days = [day_number(day.name) for day in day_folders(log / "scores")]
    first, end = whole_days(log / "scores", None, None, named=False)
    assert (first, end) == (days[0], days[-1])
    root = folder(load(tmp_path))
    done = backfill(spark, log, root, first, end, Features(), buckets=2)
    filled = in_log_order(ds.dataset(root, format="parquet").to_table())
    # Markers and the record that is no event take offsets here; the order within a partition is the same.
    published = sorted((row for row in rows if first <= row.day < end), key=lambda row: (row.partition, row.offset))
    assert done.rows == filled.num_rows == len(published) > 0
    scores = [row.event for row in published if isinstance(row.event, Score)]
    assert filled.column("transaction_id").to_pylist() == [score.event.event_id for score in scores]
    wanted = np.stack([unpacked(score.features) for score in scores])[:, :N_STREAM]
    got = vectors(filled.column("features"))[:, :N_STREAM]
    np.testing.assert_array_equal(got.view(np.uint32), wanted.view(np.uint32))
