"""Several members of a group, and what is kept for whoever comes next: nothing is lost, repeated, or counted from another
start."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from features.base.settings import Settings
from streams.engine import metrics
from streams.engine.core import Output, Wait
from streams.engine.shell import Shell
from streams.kafka.create_topics import create
from streams.kafka.records import Record
from streams.publish.lockstep import Lockstep
from streams.topics import Topic
from tests.counting import RunningCount, SnapshottedCount, expected
from tests.integration.counting import read, running, send, wait_for

pytestmark = pytest.mark.integration


@pytest.fixture
def pair(platform: Settings) -> tuple[str, str]:
    """Two fresh topics with two partitions."""
    name = uuid.uuid4().hex[:8]
    source, target = f"in-{name}", f"out-{name}"
    create(platform, [Topic(source, 2), Topic(target, 2)])
    return source, target


def caught_up(settings: Settings, source: str) -> None:
    Lockstep(settings, {f"count-{source}": (source,)}).wait()


def test_members_come_and_go_and_each_record_is_counted_once(platform: Settings, pair: tuple[str, str]) -> None:
    source, target = pair
    values = [f"v{i}".encode() for i in range(1200)]
    first, second = RunningCount(source, target), RunningCount(source, target)
    with running(Shell(platform, first, instance="a")):
        send(platform, source, values[:400])
        wait_for(lambda: sum(first.seen.values()) >= 200)
        with running(Shell(platform, second, instance="b")):
            wait_for(lambda: len(second.seen) == 1)
            assert len(first.seen) == 1, "the other partition stayed"
            send(platform, source, values[400:800])
            caught_up(platform, source)
        wait_for(lambda: len(first.seen) == 2)
        send(platform, source, values[800:])
        caught_up(platform, source)
    assert sorted(read(platform, target)) == expected(values)


def test_a_newer_process_of_the_same_instance_fences_the_older_one(platform: Settings, pair: tuple[str, str]) -> None:
    source, target = pair
    values = [f"v{i}".encode() for i in range(300)]
    failures: list[Exception] = []
    older = Shell(platform, RunningCount(source, target), instance="same")

    def run() -> None:
        try:
            older.run()
        except KafkaException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    send(platform, source, values)
    caught_up(platform, source)
    with running(Shell(platform, RunningCount(source, target), instance="same")):
        # It learns of the other one at its next transaction: there must be something to do for it, however late the other comes.
        deadline = time.monotonic() + 60
        while thread.is_alive() and time.monotonic() < deadline:
            more = [f"v{len(values) + i}".encode() for i in range(20)]
            send(platform, source, more)
            values += more
            thread.join(0.5)
        assert len(failures) == 1
        assert failures[0].args[0].fatal()
        caught_up(platform, source)
    assert sorted(read(platform, target)) == expected(values)


class Waiting(RunningCount):
    """Waits at its first batch until it is let go on, as the scorer does for its model server."""

    def __init__(self, source: str, target: str) -> None:
        super().__init__(source, target)
        self._wait: Wait = time.sleep
        self.go_on = threading.Event()
        self.waits = threading.Event()

    def process(self, records: Sequence[Record]) -> Output:
        output = super().process(records)
        while not self.go_on.is_set():
            self.waits.set()
            self._wait(0.05)
        return output

    def wait_with(self, wait: Wait) -> None:
        self._wait = wait


def test_a_partition_that_moved_away_while_it_was_paused_is_read_when_it_comes_back(
    platform: Settings, pair: tuple[str, str]
) -> None:
    source, target = pair
    values = [f"v{i}".encode() for i in range(400)]
    first, second = Waiting(source, target), RunningCount(source, target)
    send(platform, source, values[:200])
    shell = Shell(platform, first, instance="a")
    with running(shell):
        assert first.waits.wait(30)
        with running(Shell(platform, second, instance="b")):
            wait_for(lambda: len(second.seen) == 1)
            first.go_on.set()
            caught_up(platform, source)
        send(platform, source, values[200:])
        caught_up(platform, source)
    assert sorted(read(platform, target)) == expected(values)


def with_snapshots(platform: Settings, folder: Path, interval_s: float = 0.2) -> Settings:
    snapshots = platform.snapshots.model_copy(update={"path": str(folder), "interval_s": interval_s})
    return platform.model_copy(update={"snapshots": snapshots})


@pytest.mark.parametrize("cooperative", [True, False])
def test_a_log_that_is_cut_off_beneath_its_reader_is_said_and_the_state_begins_late(
    platform: Settings, pair: tuple[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture, cooperative: bool
) -> None:
    source, target = pair
    settings = with_snapshots(platform, tmp_path)
    send(platform, source, [f"v{i}".encode() for i in range(100)])
    core = SnapshottedCount(source, target)
    if not cooperative:  # as cores with several inputs
        create(platform, [Topic(f"more-{source}", 2)])
        core.inputs = (source, f"more-{source}")
    shell = Shell(settings, core)
    process = core.process
    waits, goes_on = threading.Event(), threading.Event()

    def held(records: Sequence[Record]) -> Output:
        # Not w1 by itself: w0 might lie unread in the log that is cut.
        if any(record.value == b"w0" for record in records) and not goes_on.is_set():
            waits.set()
            while not goes_on.is_set():
                shell.wait(0.1)  # nothing is fetched meanwhile
        return process(records)

    core.process = held  # type: ignore[method-assign] # a core that waits for something that is away
    before = metrics.TRIMMED.labels(core.name)._value.get()
    with running(shell):
        caught_up(platform, source)
        send(platform, source, [b"w0", b"w1"])
        assert waits.wait(30)
        send(platform, source, [f"x{i}".encode() for i in range(100)])
        admin = AdminClient({"bootstrap.servers": platform.bootstrap})
        for future in admin.delete_records([TopicPartition(source, 0, 80)]).values():
            future.result(10)
        goes_on.set()
        # Both go on, in the cut one with what is left behind it. The cut may be seen while the batch of w0 is still in hand: it
        # is committed all the same, for w0 went with the log.
        wait_for(lambda: core.seen == {0: 51 + 21, 1: 101})
    assert read(platform, target).count(b"b'w0'=51") == 1
    assert core.late == [0]
    assert metrics.TRIMMED.labels(core.name)._value.get() == before + 1
    assert "records that were never processed" in caplog.text
