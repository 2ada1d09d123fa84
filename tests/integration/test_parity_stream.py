"""The proof: 100,000 events through the scorer on a real broker and a real Redis, killed in the middle, and through Spark and the
offline store: the same bits, in all columns.

The log is as careless producers fill it: late payments, repeated ones, and those of one card in five by another partitioner. Both
stores hold everything before the first event is scored, tiles that know labels of later times included (``tests.at_rest``).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from confluent_kafka import TopicPartition
from pyspark.sql import SparkSession

from features.base.events import Score
from features.base.sections import Features
from features.base.settings import FILE_NAME, Settings, load
from features.catalogue.vector import INDEX, N_STREAM, NAMES, SCHEMA, WIDTH, unpacked
from features.domains.card_fraud.event import Payment
from features.feast_repo.store import apply
from features.jobs.parity import compare
from features.jobs.sources import archived
from features.skew.differences import Differences
from streams import topics
from streams.engine.codec import encode
from streams.kafka.clients import consumer, producer
from streams.kafka.create_topics import create
from streams.kafka.records import Record
from streams.publish.lockstep import Lockstep
from streams.simulate.card_fraud.options import Options
from streams.topics import Topic
from streams.writers.archive import Archive, Archived, ArchiveSink
from tests.at_rest import Tables, tables
from tests.served import disordered, history

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings

#: Cards and days that give a little more than 100,000 transactions, over more than the longest window.
WORLD, DAYS = Options(cards=505, terminals=1500, seed=11), 100
LEAST = 100_000
PARTITIONS = 4


def own_folder(platform: Settings, folder: Path) -> Settings:
    """A platform's folder of the test's own, on the broker and the Redis of all tests, which may be slow but must answer."""
    folder.mkdir()
    (folder / FILE_NAME).write_text(
        f'bootstrap_servers = "{platform.bootstrap}"\n[ports]\nredis = {platform.ports.redis}\n'
        "[topics]\nreplication_factor = 1\n"
        "[scoring]\nprofile_timeout_s = 30.0\n"
    )
    return load(folder)


def publish(settings: Settings, topic: str, log: Sequence[Payment]) -> None:
    """As several clients do: those of one card in ten are spread as librdkafka does by default, those of another have no key but
    lie together."""
    sender = producer(settings)
    for i, event in enumerate(log):
        key = event.subject.encode()
        client = crc32(key) // PARTITIONS % 10
        partition = crc32(key) % PARTITIONS if client < 2 else -1
        sender.produce(topic, encode(event), None if client == 1 else key, partition)
        if i % 1000 == 0:
            sender.poll(0)
    assert sender.flush(60) == 0


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


def archive(settings: Settings, topic: str) -> list[Score]:
    """What is committed in ``topic``, through the archive processor's core and sink, into the archive of ``settings``."""
    core, sink = Archive(SCHEMA), ArchiveSink(settings)
    reader = consumer(settings, uuid.uuid4().hex)
    reader.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    rows: list[Archived] = []
    open_partitions = PARTITIONS
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
    return [row.event for row in rows if isinstance(row.event, Score)]


def assert_it_proves_something(scores: Sequence[Score], tables: Tables) -> str:
    """Every column changes, and what may go wrong was there: told in one line."""
    vectors = np.array([unpacked(score.features) for score in scores])
    constant = [name for name, column in zip(NAMES, vectors.T, strict=True) if (column == column[0]).all()]
    assert not constant, "a column that never changes proves nothing"
    times = np.array([score.event.event_time_ms for score in scores])
    behind, newest = 0, dict.fromkeys((score.event.subject for score in scores), 0)
    for score in scores:
        subject, at = score.event.subject, score.event.event_time_ms
        behind += at < newest[subject]
        newest[subject] = max(newest[subject], at)
    known_ms = np.array([tables.known_ms.get(score.event.counterpart, 0) for score in scores])
    of_card = {row.subject: row.event_time_ms for row in tables.profiles}
    made_ms = np.array([of_card.get(score.event.subject, 0) for score in scores])
    with_profile = vectors[:, INDEX["usual_hour_share"]] >= 0
    counts = {
        "events": len(scores),
        "behind a newer one of their card": behind,
        "late by more than a day": sum(score.late for score in scores),
        "with a profile": int(with_profile.sum()),
        "before their profile": int((made_ms > times).sum()),
        "after it was too old": int(((made_ms > 0) & (made_ms <= times) & ~with_profile).sum()),
        "of unknown cards": int((made_ms == 0).sum()),
        "of unknown terminals": int((known_ms == 0).sum()),
        "with tiles that know later labels": int((known_ms > times).sum()),
        "with known outcomes in 30 days": int((vectors[:, INDEX["terminal_count_30d"]] > 0).sum()),
        "with known frauds in 30 days": int((vectors[:, INDEX["terminal_frauds_30d"]] > 0).sum()),
    }
    few = {what: count for what, count in counts.items() if count < 1000}
    assert not few, "too few of these to prove anything"
    assert not any(score.degraded for score in scores)
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def test_stream_and_spark_agree_to_the_last_bit(
    platform: Settings, spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = uuid.uuid4().hex[:8]
    source, target = f"parity-in-{name}", f"parity-out-{name}"
    settings = own_folder(platform, tmp_path / "platform")
    create(settings, [Topic(source, PARTITIONS), Topic(target, PARTITIONS)])
    began = time.monotonic()
    took: dict[str, float] = {}

    def lap(what: str) -> None:
        took[what] = round(time.monotonic() - began - sum(took.values()), 1)

    events, labels = history(WORLD, DAYS, "parity-")
    lap("simulate")
    apply(settings)
    known = tables(events, labels, settings.labels, settings.feast)
    known.write(settings)
    lap("fill both stores")
    log = disordered(events)
    assert len(log) > 1.01 * len(events), "some are published twice"
    publish(settings, source, log)
    lap("publish")
    with scoring(settings, source, target, seed=1) as first:
        wait_for(first, lambda: end_of(settings, target) > len(log) // 3)
    assert first.returncode == -9, "killed in the middle"
    before = end_of(settings, target)
    assert before < len(events), "the kill came too late to prove anything"
    lap("score, kill")
    with scoring(settings, source, target, seed=2) as second:
        wait_for(second, lambda: end_of(settings, target) > before)
        Lockstep(settings, {f"scorer-{source}": (source,)}, timeout_s=60).wait()
    lap("restart, score")
    scores = archive(settings, target)
    assert len(scores) == len({score.event.event_id for score in scores}) == len(events) >= LEAST
    lap("archive")

    lines = [assert_it_proves_something(scores, known)]
    for partitions in (1, 3, 8):
        differences = compare(archived(spark, settings.archive), Features(), partitions=partitions, buckets=8, store=settings)
        lap(f"spark {partitions}")
        lines.append(
            f"parity, Spark in {partitions} partitions: {differences.vectors:,} events x {differences.features} features "
            f"({N_STREAM} computed, {WIDTH - N_STREAM} read), {differences.values:,} values: {differences.differing} differ, "
            f"mean {differences.mean:g}, max {differences.largest:g}"
        )
        assert differences == Differences(len(events), WIDTH)
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *lines, f"seconds: {took}", ""]))
