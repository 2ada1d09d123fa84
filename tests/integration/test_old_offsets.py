"""A coordinator that serves offsets of long ago: nothing is written twice, and the stream goes on once the answer is right."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, TopicPartition

from features.base.sections import Snapshots
from features.base.settings import Settings
from streams.engine.replay_log import Span, replay
from streams.engine.shell import Shell
from streams.kafka.clients import admin, consumer, producer
from streams.kafka.create_topics import create
from streams.kafka.records import Record
from streams.publish.lockstep import Lockstep
from streams.topics import Topic
from tests.counting import SnapshottedCount, expected
from tests.integration.counting import read, running, send, wait_for

pytestmark = pytest.mark.integration


def set_offsets(settings: Settings, group: str, topic: str, offsets: list[int]) -> None:
    """As a coordinator would say them; the group has no members."""
    member = consumer(settings, group)
    member.commit(offsets=[TopicPartition(topic, p, offset) for p, offset in enumerate(offsets)], asynchronous=False)
    member.close()


def test_offsets_behind_a_snapshot_are_not_believed(platform: Settings, tmp_path: Path) -> None:
    name = uuid.uuid4().hex[:8]
    source, target = f"in-{name}", f"out-{name}"
    create(platform, [Topic(source, 2), Topic(target, 2)])
    settings = platform.model_copy(update={"snapshots": Snapshots(path=str(tmp_path), interval_s=3600)})
    values = [f"v{i}".encode() for i in range(200)]
    send(settings, source, values[:100])
    with running(Shell(settings, SnapshottedCount(source, target))):  # its end leaves a snapshot
        Lockstep(settings, {f"count-{source}": (source,)}).wait()

    set_offsets(settings, f"count-{source}", source, [20, 20])
    send(settings, source, values[100:])
    core = SnapshottedCount(source, target)
    shell = Shell(settings, core)
    with running(shell):
        wait_for(lambda: any("there is a snapshot of what was committed up to 50" in reason for reason in shell.health()))
    assert core.seen == {}
    assert sorted(read(settings, target)) == expected(values[:100])

    set_offsets(settings, f"count-{source}", source, [50, 50])
    shell = Shell(settings, SnapshottedCount(source, target))
    with running(shell):
        Lockstep(settings, {f"count-{source}": (source,)}).wait()
        assert shell.health() == []
    assert sorted(read(settings, target)) == expected(values)


def test_a_log_that_is_cut_while_it_is_read_again_is_an_error(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    source = f"in-{uuid.uuid4().hex[:8]}"
    create(platform, [Topic(source, 1)])
    sender = producer(platform)
    for i in range(50):
        sender.produce(source, f"v{i}".encode())
    assert sender.flush(20) == 0
    asked = admin(platform)
    for future in asked.delete_records([TopicPartition(source, 0, 30)]).values():
        future.result(10)
    monkeypatch.setattr("streams.engine.replay_log._begins", lambda *_: {0: 0})  # as it was a moment ago
    records: list[Record] = []
    with pytest.raises(KafkaException):
        replay(platform, {(source, 0): Span(0, 50)}, records.extend)
    assert records == []
