"""The shell on a real broker: one output for each input, whatever ends the process in between."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence

import msgspec
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client import REGISTRY

from features.base.events import DeadLetter
from features.base.settings import Settings
from streams import topics
from streams.engine import metrics
from streams.engine.core import ATTEMPT_HEADER, Output
from streams.engine.shell import Shell
from streams.kafka import stall
from streams.kafka.clients import consumer, producer
from streams.kafka.committed import Committed
from streams.kafka.create_topics import create
from streams.kafka.records import Produce, Record
from streams.publish.lockstep import Lockstep
from streams.topics import Topic
from tests.integration.counting import Held, RunningCount, committed, expected, read, running, send, wait_for

pytestmark = pytest.mark.integration


@pytest.fixture
def pair(platform: Settings) -> tuple[str, str]:
    """Two fresh topics with two partitions."""
    name = uuid.uuid4().hex[:8]
    source, target = f"in-{name}", f"out-{name}"
    create(platform, [Topic(source, 2), Topic(target, 2)])
    return source, target


def test_output_is_exact_across_a_stop_and_a_crash(platform: Settings, pair: tuple[str, str]) -> None:
    source, target = pair
    values = [f"v{i}".encode() for i in range(900)]
    send(platform, source, values[:300])
    with running(Shell(platform, RunningCount(source, target))):
        Lockstep(platform, {f"count-{source}": (source,)}).wait()

    crashing = RunningCount(source, target)
    crashing.fail_at = 250
    failures: list[Exception] = []

    def crash() -> None:
        try:
            Shell(platform, crashing).run()
        except RuntimeError as error:
            failures.append(error)

    thread = threading.Thread(target=crash)
    thread.start()
    send(platform, source, values[300:600])
    thread.join(60)
    assert [str(e) for e in failures] == ["failed on purpose, in the middle of a batch"]

    send(platform, source, values[600:])
    with running(Shell(platform, RunningCount(source, target))):
        Lockstep(platform, {f"count-{source}": (source,)}).wait()
    assert sorted(read(platform, target)) == expected(values)


def test_committed_offsets_reach_the_end_behind_commit_markers(platform: Settings, pair: tuple[str, str]) -> None:
    source, target = pair
    name = uuid.uuid4().hex[:8]
    create(platform, [Topic(f"last-{name}", 2)])
    send(platform, source, [f"v{i}".encode() for i in range(10)])
    second = RunningCount(target, f"last-{name}")
    with running(Shell(platform, RunningCount(source, target))), running(Shell(platform, second)):
        admin = AdminClient({"bootstrap.servers": platform.bootstrap})
        assert admin.list_topics(timeout=10).topics[target].partitions

        def caught_up() -> bool:
            probe = consumer(platform, second.name)
            try:
                committed = probe.committed([TopicPartition(target, p) for p in (0, 1)], 10)
                ends = [probe.get_watermark_offsets(TopicPartition(target, p), 10)[1] for p in (0, 1)]
            finally:
                probe.close()
            return [tp.offset for tp in committed] == ends and min(ends) > 5

        # Five records a partition and at least one marker: an end above five is behind a marker.
        wait_for(caught_up)


def test_a_bad_record_is_in_the_dlq_and_the_loop_goes_on(platform: Settings, pair: tuple[str, str]) -> None:
    source, target = pair
    # Larger still in base64: more than a producer sends by default.
    large = b"bad" + b"x" * 900_000
    send(platform, source, [b"a", b"b"], keyed=False)
    sender = producer(platform)
    headers: list[tuple[str, bytes | None]] = [("trace", b"1"), ("none", None), (ATTEMPT_HEADER, b"3")]
    sender.produce(source, b"bad", b"k", 0, headers=headers)
    sender.produce(source, large, None, 1)
    assert sender.flush(20) == 0
    send(platform, source, [b"c", b"d"], keyed=False)
    core = RunningCount(source, target)
    with running(Shell(platform, core)):
        Lockstep(platform, {core.name: (source,)}).wait()
    assert sorted(read(platform, target)) == sorted([b"b'a'=1", b"b'b'=1", b"b'c'=2", b"b'd'=2"])
    found = [(key, msgspec.json.decode(value, type=DeadLetter)) for key, value in committed(platform, topics.DLQ, (0,))]
    letters = sorted(((key, letter) for key, letter in found if letter.topic == source), key=lambda one: one[1].partition)
    assert letters == [
        (b"k", DeadLetter(source, 0, 1, core.name, "ValueError", "bad on purpose", b"bad", b"k", headers, attempt=3)),
        (None, DeadLetter(source, 1, 1, core.name, "ValueError", "bad on purpose", large, None, [], attempt=1)),
    ]


def test_headers_that_cannot_be_read_stop_nothing(platform: Settings, pair: tuple[str, str]) -> None:
    source, target = pair
    # Many before it: the interpreter calls what it has called often in a quicker way, which overlooks exceptions.
    before, after = [f"v{i}".encode() for i in range(100)], [b"x", b"y"]
    send(platform, source, before)
    environment = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
    command = [sys.executable, "-m", "tests.integration.hostile_header", platform.bootstrap, source]
    subprocess.run(command, check=True, env=environment)
    send(platform, source, after)
    core = RunningCount(source, target)
    with running(Shell(platform, core)):
        Lockstep(platform, {f"count-{source}": (source,)}).wait()
    assert sorted(read(platform, target)) == expected([*before, *after])
    again = RunningCount(source, target)
    with running(Shell(platform, again)):
        wait_for(lambda: again.restored == 103)


def test_the_lag_is_told_while_there_is_one(platform: Settings, pair: tuple[str, str]) -> None:
    source, target = pair
    send(platform, source, [b"v"] * 400)
    core = RunningCount(source, target)
    shell = Shell(platform, core, max_batch=20)
    process = core.process
    told: list[list[float]] = []

    def lags() -> list[float]:
        return [metrics.LAG.labels(core.name, source, p)._value.get() for p in (0, 1)]

    def watched(records: Sequence[Record]) -> Output:
        if not told:
            shell.wait(0.1)  # while it waits, nothing is fetched that could tell
        told.append(lags())
        return process(records)

    core.process = watched  # type: ignore[method-assign] # a core that looks at the metric within each batch
    with running(shell):
        wait_for(lambda: len(told) > 1 and lags() == [0, 0])
    assert told[0] == [200, 200]
    assert all(sum(lag) > 0 for lag in told[1:])
    assert len(told) >= 20


def test_records_that_wait_behind_another_partitions_in_a_full_queue_are_no_stall(
    platform: Settings, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backlog, and a core that is slow: for longer than a stall lasts, all batches are of one partition."""
    monkeypatch.setattr(stall, "LOOK_S", 0.2)
    monkeypatch.setattr(stall, "STALLED_S", 1.0)
    source, target = pair
    values = [f"v{i}".encode() for i in range(400)]
    send(platform, source, values)
    core = RunningCount(source, target)
    shell = Shell(platform, core, max_batch=10)
    process = core.process
    batches: list[set[int]] = []

    def slowly(records: Sequence[Record]) -> Output:
        batches.append({record.partition for record in records})
        time.sleep(0.15)
        return process(records)

    core.process = slowly  # type: ignore[method-assign] # a core that takes its time
    with running(shell) as thread:
        wait_for(lambda: sum(core.seen.values()) == len(values) or not thread.is_alive())
        assert thread.is_alive()
        Lockstep(platform, {core.name: (source,)}).wait()
    assert sorted(read(platform, target)) == expected(values)
    # The case was there: the other partition came only after more than a stall's time.
    assert all(len(batch) == 1 for batch in batches[:15])


def test_a_stop_commits_the_batch_in_hand_and_takes_no_other(platform: Settings, pair: tuple[str, str]) -> None:
    source, target = pair
    values = [f"v{i}".encode() for i in range(50)]
    send(platform, source, values)
    core = Held(source, target)
    shell = Shell(platform, core, max_batch=20)
    with running(shell):
        assert core.taken.wait(30)
        shell.stop()
        core.go_on.set()
    (n,) = core.batches
    assert 0 < n <= 20
    assert len(read(platform, target)) == n
    with Committed(platform) as reader:
        commits = reader.read({core.name: [(source, 0), (source, 1)]}, 30)[core.name]
    assert sum(commit.offset for commit in commits.values()) == n
    with running(Shell(platform, RunningCount(source, target))):
        Lockstep(platform, {core.name: (source,)}).wait()
    assert sorted(read(platform, target)) == expected(values)


def test_a_dead_letter_counts_once_whatever_happens_to_its_batch(platform: Settings, pair: tuple[str, str]) -> None:
    source, target = pair
    name = f"count-{source}"
    counted = metrics.DLQ.labels(name, "ValueError")
    send(platform, source, [b"bad", b"a", b"b", b"c"])
    failing = RunningCount(source, target)
    failing.fail_at = 2
    with pytest.raises(RuntimeError, match="on purpose"):
        Shell(platform, failing).run()
    assert counted._value.get() == 0
    with running(Shell(platform, RunningCount(source, target))):
        Lockstep(platform, {name: (source,)}).wait()
        wait_for(lambda: counted._value.get() == 1)
    again = RunningCount(source, target)
    with running(Shell(platform, again)):
        wait_for(lambda: again.restored == 4)
    assert counted._value.get() == 1


def test_the_event_time_lag_grows_while_the_stream_stands(platform: Settings, pair: tuple[str, str]) -> None:
    source, target = pair
    core = RunningCount(source, target)
    process = core.process

    def dated(records: Sequence[Record]) -> Output:
        output = process(records)
        output.newest_ms = 1_767_600_000_000
        return output

    core.process = dated  # type: ignore[method-assign] # a core that knows event times
    send(platform, source, [b"a", b"b"])

    def lag() -> float | None:
        return REGISTRY.get_sample_value("driftloop_event_time_lag_seconds", {"processor": core.name})

    with running(Shell(platform, core)):
        wait_for(lambda: lag() is not None)
        first = lag()
        assert first == pytest.approx(time.time() - 1_767_600_000, abs=5)
        wait_for(lambda: (lag() or 0) > (first or 0))


def test_a_batch_that_is_never_taken_turns_health_red(
    platform: Settings, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = pair
    monkeypatch.setattr("streams.engine.shell.STUCK_S", 1.0)
    core = RunningCount(source, target)
    process, mended = core.process, threading.Event()

    def large(records: Sequence[Record]) -> Output:
        output = process(records)
        if not mended.is_set():
            output.produce.append(Produce(target, None, b"x" * 5_000_000, 0))
        return output

    core.process = large  # type: ignore[method-assign] # a core that gives what no topic takes
    send(platform, source, [b"a", b"b"])
    shell = Shell(platform, core)
    with running(shell):
        wait_for(lambda: any("each transaction has been given up for" in reason for reason in shell.health()))
        mended.set()
        wait_for(lambda: not shell.health())
        Lockstep(platform, {core.name: (source,)}).wait()
    assert sorted(read(platform, target)) == expected([b"a", b"b"])
    assert REGISTRY.get_sample_value("driftloop_lag_records", {"processor": core.name, "topic": source, "partition": "0"}) is None


def test_a_member_without_partitions_is_not_healthy(platform: Settings, pair: tuple[str, str]) -> None:
    source, target = pair
    shell = Shell(platform, RunningCount(source, target))
    assert shell.health() == [f"count-{source}: the group has assigned no partitions"]
    with running(shell):
        wait_for(lambda: not shell.health())
