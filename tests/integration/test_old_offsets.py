"""A coordinator that serves offsets of long ago: nothing is written twice, and the stream goes on once the answer is right."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import KafkaException, TopicPartition

from features.base.settings import Settings, SettingsError, Snapshots
from streams.engine.replay_log import Span, replay
from streams.engine.shell import Shell
from streams.engine.snapshot_store import Snapshot, Store
from streams.kafka.clients import admin, consumer, producer
from streams.kafka.cluster import cluster_id
from streams.kafka.create_topics import create
from streams.kafka.records import Record
from streams.publish.lockstep import Lockstep
from streams.topics import Topic
from tests.integration.counting import SnapshottedCount, expected, read, running, send, wait_for

pytestmark = pytest.mark.integration


def set_offsets(settings: Settings, group: str, topic: str, offsets: list[int]) -> None:
    """As a coordinator would say them; the group has no members."""
    member = consumer(settings, group)
    member.commit(offsets=[TopicPartition(topic, p, offset) for p, offset in enumerate(offsets)], asynchronous=False)
    member.close()


def snapshots_of(settings: Settings, folder: Path, source: str) -> Store:
    asked = admin(settings)
    return Store(str(folder), f"count-{source}").of_cluster(cluster_id(asked, source))


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


def test_a_snapshot_beyond_the_log_is_of_another_log(platform: Settings, tmp_path: Path) -> None:
    name = uuid.uuid4().hex[:8]
    source, target = f"in-{name}", f"out-{name}"
    create(platform, [Topic(source, 2), Topic(target, 2)])
    settings = platform.model_copy(update={"snapshots": Snapshots(path=str(tmp_path), interval_s=3600)})
    for number in (0, 1):
        snapshots_of(settings, tmp_path, source).write(source, number, Snapshot(999, "1", {"count": np.array([5])}))
    values = [f"v{i}".encode() for i in range(100)]
    send(settings, source, values)
    with running(Shell(settings, SnapshottedCount(source, target))):
        Lockstep(settings, {f"count-{source}": (source,)}).wait()
    assert sorted(read(settings, target)) == expected(values)


def test_a_stop_while_a_log_is_read_again_leaves_no_half_state(
    platform: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = uuid.uuid4().hex[:8]
    source, target = f"in-{name}", f"out-{name}"
    create(platform, [Topic(source, 2), Topic(target, 2)])
    settings = platform.model_copy(update={"snapshots": Snapshots(path=str(tmp_path), interval_s=3600)})
    values = [f"v{i}".encode() for i in range(200)]
    send(settings, source, values)
    with running(Shell(settings, SnapshottedCount(source, target))):
        Lockstep(settings, {f"count-{source}": (source,)}).wait()
    store = snapshots_of(settings, tmp_path, source)
    store.clear()

    class Stopped(SnapshottedCount):
        def restore(self, records: Sequence[Record]) -> None:
            super().restore(records)
            shell.stop()

    monkeypatch.setattr("streams.engine.assignment.replay", partial(replay, batch=10))
    core = Stopped(source, target)
    shell = Shell(settings, core)
    began = time.monotonic()
    with running(shell) as thread:
        thread.join(20)
        assert not thread.is_alive()
    assert time.monotonic() - began < 15
    assert 0 < core.restored < 200
    assert [store.newest(source, partition, "1", 1000) for partition in (0, 1)] == [None, None]

    send(settings, source, more := [b"w0", b"w1"])
    with running(Shell(settings, SnapshottedCount(source, target))):
        Lockstep(settings, {f"count-{source}": (source,)}).wait()
    assert sorted(read(settings, target)) == expected(values + more)


def test_a_log_that_ends_before_what_is_committed_is_left_to_a_person(
    platform: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another log, or one that lost its end: read from its beginning or its end, one of the two would repeat or lose records."""
    monkeypatch.setattr("streams.engine.assignment._BACK_S", 1.0)
    name = uuid.uuid4().hex[:8]
    source, target = f"in-{name}", f"out-{name}"
    create(platform, [Topic(source, 2), Topic(target, 2)])
    values = [f"v{i}".encode() for i in range(100)]
    send(platform, source, values)
    set_offsets(platform, f"count-{source}", source, [20, 5000])
    core = SnapshottedCount(source, target)
    said = rf"{source}\[1\] ends at 50, and count-{source} has read it up to 5000: .*--reset-offsets"
    with pytest.raises(SettingsError, match=said):
        Shell(platform, core).run()
    assert read(platform, target) == []


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
    found: list[Record] = []
    with pytest.raises(KafkaException):
        replay(platform, {(source, 0): Span(0, 50)}, found.extend)
    assert found == []
