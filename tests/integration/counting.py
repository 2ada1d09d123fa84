"""What the tests of the shell do with a core on a real broker."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import KafkaError, TopicPartition

from features.base.settings import Settings
from streams.engine.shell import Shell
from streams.kafka.clients import consumer, producer


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
    records, open_partitions = [], set(partitions)
    try:
        while open_partitions:
            for message in reader.consume(1000, 1.0):
                if message.error() is None:
                    records.append((message.key(), message.value()))
                else:
                    assert message.error().code() == KafkaError._PARTITION_EOF
                    open_partitions.discard(message.partition())
    finally:
        reader.close()
    return records


def wait_for(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
