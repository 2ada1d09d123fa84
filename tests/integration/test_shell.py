"""The shell on a real broker: one output for each input, whatever ends the process in between."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient

from features.settings import Settings
from streams import topics
from streams.core import Output, Produce, Record, dead_letter
from streams.kafka import consumer, producer
from streams.publish.lockstep import Lockstep
from streams.shell import Shell
from streams.topics import Topic

pytestmark = pytest.mark.integration


class RunningCount:
    """A core whose output depends on all earlier input of the partition: the n-th record gives n."""

    def __init__(self, source: str, target: str) -> None:
        self.name = f"count-{source}"
        self.inputs: tuple[str, ...] = (source,)
        self.replays: tuple[str, ...] = (source,)
        self._target = target
        self.seen: dict[int, int] = {}
        self.fail_at: int | None = None

    def process(self, records: Sequence[Record]) -> Output:
        output = Output()
        for record in records:
            if record.value is None or record.value.startswith(b"bad"):
                output.produce.append(dead_letter(record, self.name, ValueError("bad on purpose")))
                continue
            n = self.seen[record.partition] = self.seen.get(record.partition, 0) + 1
            if self.fail_at is not None and n >= self.fail_at:
                raise RuntimeError("failed on purpose, in the middle of a batch")
            output.produce.append(Produce(self._target, record.key, f"{record.value!r}={n}".encode(), record.partition))
        return output

    def restore(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.value is not None and not record.value.startswith(b"bad"):
                self.seen[record.partition] = self.seen.get(record.partition, 0) + 1

    def forget(self, partitions: Sequence[tuple[str, int]]) -> None:
        for _, partition in partitions:
            self.seen.pop(partition, None)


@pytest.fixture
def pair(platform: Settings) -> tuple[str, str]:
    """Two fresh topics with two partitions."""
    name = uuid.uuid4().hex[:8]
    source, target = f"in-{name}", f"out-{name}"
    topics.create(platform, [Topic(source, 2), Topic(target, 2)])
    return source, target


@contextmanager
def running(shell: Shell) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=shell.run)
    thread.start()
    try:
        yield thread
    finally:
        shell.stop()
        thread.join(30)
        assert not thread.is_alive()


def send(settings: Settings, topic: str, values: Sequence[bytes], keyed: bool = True) -> None:
    sender = producer(settings)
    for i, value in enumerate(values):
        sender.produce(topic, value, value if keyed else None, i % 2)
    assert sender.flush(20) == 0


def read(settings: Settings, topic: str) -> list[bytes]:
    """All committed records."""
    reader = consumer(settings, uuid.uuid4().hex)
    reader.assign([TopicPartition(topic, p, 0) for p in (0, 1)])
    found, open_partitions = [], {0, 1}
    try:
        while open_partitions:
            for message in reader.consume(1000, 1.0):
                if message.error() is None:
                    found.append(message.value())
                else:
                    assert message.error().code() == KafkaError._PARTITION_EOF
                    open_partitions.discard(message.partition())
    finally:
        reader.close()
    return found


def wait_for(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def expected(values: Sequence[bytes]) -> list[bytes]:
    counts = [0, 0]
    out = []
    for i, value in enumerate(values):
        counts[i % 2] += 1
        out.append(f"{value!r}={counts[i % 2]}".encode())
    return sorted(out)


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
    topics.create(platform, [Topic(f"last-{name}", 2)])
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
    # The large one is larger still in base64: more than a producer sends by default.
    send(platform, source, [b"a", b"b", b"bad", b"c", b"bad" + b"x" * 900_000, b"d"], keyed=False)
    with running(Shell(platform, RunningCount(source, target))):
        Lockstep(platform, {f"count-{source}": (source,)}).wait()
    assert sorted(read(platform, target)) == sorted([b"b'a'=1", b"b'b'=1", b"b'c'=2", b"b'd'=3"])
