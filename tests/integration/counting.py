"""A core whose every output depends on all input before it, and what the tests of the shell do with it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, TopicPartition
from numpy.typing import NDArray

from features.base.settings import Settings
from streams import topics
from streams.engine.core import Output, dead_letter
from streams.engine.shell import Shell
from streams.kafka.clients import consumer, producer
from streams.kafka.records import Produce, Record


class RunningCount:
    """The n-th record of a partition gives ``value=n``. ``fail_at``: raise there."""

    def __init__(self, source: str, target: str) -> None:
        self.name = f"count-{source}"
        self.inputs: tuple[str, ...] = (source,)
        self.outputs: tuple[str, ...] = (target, topics.DLQ)
        self.replays: tuple[str, ...] = (source,)
        self._target = target
        self.seen: dict[int, int] = {}
        self.fail_at: int | None = None
        self.restored = 0

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
        self.restored += len(records)
        for record in records:
            if record.value is not None and not record.value.startswith(b"bad"):
                self.seen[record.partition] = self.seen.get(record.partition, 0) + 1

    def forget(self, partitions: Sequence[tuple[str, int]]) -> None:
        for _, partition in partitions:
            self.seen.pop(partition, None)


class Held(RunningCount):
    """Takes a batch and does not come back until it is let ``go_on``."""

    def __init__(self, source: str, target: str) -> None:
        super().__init__(source, target)
        self.taken = threading.Event()
        self.go_on = threading.Event()
        self.batches: list[int] = []

    def process(self, records: Sequence[Record]) -> Output:
        self.batches.append(len(records))
        self.taken.set()
        assert self.go_on.wait(60)
        return super().process(records)


class Copied:
    """A copy that needs one step."""

    def __init__(self, count: int) -> None:
        self.done = False
        self._count = count

    def step(self) -> None:
        self.done = True

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"count": np.array([self._count])}


class SnapshottedCount(RunningCount):
    """The same with snapshots. ``late``: the partitions whose beginning was lost."""

    state_version = "1"

    def __init__(self, source: str, target: str) -> None:
        super().__init__(source, target)
        self.late: list[int] = []

    def copy(self, partition: int) -> Copied:
        return Copied(self.seen.get(partition, 0))

    def load(self, partition: int, arrays: dict[str, NDArray[Any]]) -> None:
        self.seen[partition] = int(arrays["count"][0])

    def begins_late(self, partition: int) -> None:
        self.late.append(partition)


@contextmanager
def running(shell: Shell) -> Iterator[threading.Thread]:
    """The shell in a thread, stopped at the end."""
    thread = threading.Thread(target=shell.run)
    thread.start()
    try:
        yield thread
    finally:
        shell.stop()
        thread.join(30)
        assert not thread.is_alive()


def send(settings: Settings, topic: str, values: Sequence[bytes], keyed: bool = True) -> None:
    """The i-th value to partition i mod 2."""
    sender = producer(settings)
    for i, value in enumerate(values):
        sender.produce(topic, value, value if keyed else None, i % 2)
    assert sender.flush(20) == 0


def read(settings: Settings, topic: str) -> list[bytes]:
    """All committed values of two partitions."""
    return [value for _, value in committed(settings, topic)]


def committed(settings: Settings, topic: str, partitions: Sequence[int] = (0, 1)) -> list[tuple[bytes | None, bytes]]:
    """All committed records: key and value."""
    reader = consumer(settings, uuid.uuid4().hex)
    reader.assign([TopicPartition(topic, p, 0) for p in partitions])
    found, open_partitions = [], set(partitions)
    try:
        while open_partitions:
            for message in reader.consume(1000, 1.0):
                if message.error() is None:
                    found.append((message.key(), message.value()))
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
    """What a run without a break gives of values that were sent by ``send``, sorted."""
    counts = [0, 0]
    out = []
    for i, value in enumerate(values):
        counts[i % 2] += 1
        out.append(f"{value!r}={counts[i % 2]}".encode())
    return sorted(out)
