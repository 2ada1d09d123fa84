"""The proof: 100,000 events through the scorer on a real broker, killed in the middle, and through Spark: the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from pyspark.sql import SparkSession

from features.differences import Differences
from features.jobs.parity import compare
from features.jobs.sources import archived
from features.settings import Features, Settings
from features.vector import N_STREAM, SCHEMA
from streams import topics
from streams.archive import Archive, ArchiveSink
from streams.core import Record
from streams.kafka import consumer, producer
from streams.publish.encode import encode_transactions, keys
from streams.publish.lockstep import Lockstep
from streams.simulate.options import Options
from streams.simulate.simulation import Simulation
from streams.topics import Topic

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings

#: Cards and days that give a little more than 100,000 transactions, over more than the longest window.
WORLD, DAYS = Options(cards=505, terminals=150, seed=11), 100
LEAST = 100_000
PARTITIONS = 4


def publish(settings: Settings, topic: str) -> int:
    sender = producer(settings)
    sent = 0
    for batch in Simulation(WORLD).days(0, DAYS):
        rows = batch.transactions
        for key, value in zip(keys(rows.card_id), encode_transactions(rows), strict=True):
            sender.produce(topic, value, key)
            sent += 1
        sender.poll(0)
    assert sender.flush(60) == 0
    return sent


@contextmanager
def scoring(settings: Settings, source: str, target: str, seed: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.integration.scoring_child", str(settings.dir), source, target, str(seed)]
    root = Path(__file__).parents[2]
    child = subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    try:
        yield child
    finally:
        child.kill()
        child.wait(30)


def end_of(settings: Settings, topic: str) -> int:
    """Offsets in the topic, commit markers included."""
    probe = consumer(settings, uuid.uuid4().hex)
    try:
        return sum(probe.get_watermark_offsets(TopicPartition(topic, p), 10)[1] for p in range(PARTITIONS))
    finally:
        probe.close()


def wait_for(child: subprocess.Popen[bytes], condition: Callable[[], bool], timeout_s: float = 90.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert child.poll() is None, "the scorer ended by itself"
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def archive(settings: Settings, topic: str, folder: Path) -> int:
    """What is committed in ``topic``, through the archive processor's core and sink, into ``folder``."""
    settings = settings.model_copy(update={"dir": folder})
    core, sink = Archive(SCHEMA), ArchiveSink(settings)
    reader = consumer(settings, uuid.uuid4().hex)
    reader.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    rows, open_partitions = [], PARTITIONS
    try:
        while open_partitions:
            records = []
            for message in reader.consume(20_000, 1.0):
                if message.error() is not None:
                    open_partitions -= 1
                    continue
                records.append(Record(topics.SCORES, message.partition(), message.offset(), message.key(), message.value()))
            output = core.process(records)
            assert not output.produce, "a score cannot be archived"
            rows += output.rows
    finally:
        reader.close()
    sink.write(rows)
    return len(rows)


def test_stream_and_spark_agree_to_the_last_bit(
    platform: Settings, spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = uuid.uuid4().hex[:8]
    source, target = f"parity-in-{name}", f"parity-out-{name}"
    topics.create(platform, [Topic(source, PARTITIONS), Topic(target, PARTITIONS)])
    began = time.monotonic()
    took: dict[str, float] = {}

    def lap(what: str) -> None:
        took[what] = round(time.monotonic() - began - sum(took.values()), 1)

    sent = publish(platform, source)
    lap("publish")
    with scoring(platform, source, target, seed=1) as first:
        wait_for(first, lambda: end_of(platform, target) > sent // 3)
    assert first.returncode == -9, "killed in the middle"
    before = end_of(platform, target)
    assert before < sent, "the kill came too late to prove anything"
    lap("score, kill")
    with scoring(platform, source, target, seed=2) as second:
        wait_for(second, lambda: end_of(platform, target) > before)
        Lockstep(platform, {f"scorer-{source}": (source,)}, timeout_s=60).wait()
    lap("restart, score")
    assert archive(platform, target, tmp_path) == sent >= LEAST
    lap("archive")

    lines = []
    for partitions in (1, 3, 8):
        found = compare(archived(spark, tmp_path / "archive"), Features(), partitions=partitions)
        lap(f"spark {partitions}")
        lines.append(
            f"parity, Spark in {partitions} partitions: {found.vectors:,} events x {found.features} features, "
            f"{found.values:,} values: {found.differing} differ, mean {found.mean:g}, max {found.largest:g}"
        )
        assert found == Differences(sent, N_STREAM)
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *lines, f"seconds: {took}", ""]))
