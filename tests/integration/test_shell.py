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

from features.base.events import DeadLetter
from features.base.settings import Settings
from streams import topics
from streams.engine.core import ATTEMPT_HEADER, Output
from streams.engine.shell import Shell
from streams.kafka import stall
from streams.kafka.clients import consumer, producer
from streams.kafka.create_topics import create
from streams.kafka.records import Record
from streams.publish.lockstep import Lockstep
from streams.topics import Topic
from tests.counting import RunningCount, expected
from tests.integration.counting import committed, read, running, send, wait_for

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
    dead_letters = [(key, msgspec.json.decode(value, type=DeadLetter)) for key, value in committed(platform, topics.DLQ, (0,))]
    letters = sorted(
        ((key, letter) for key, letter in dead_letters if letter.topic == source), key=lambda entry: entry[1].partition
    )
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
