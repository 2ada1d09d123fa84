"""The newest records of a topic, read backwards from its end.

::

    low ......................... start ....... end ....... high
                                  [ this pass )[ read before )

Offsets cannot be counted: transactions leave commit markers and aborted records between the records. So a pass that finds
too few records is followed by a longer one that ends where it began.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from features.base.settings import Settings
from infra.errors import PlatformError
from streams.engine.replay_log import record_of
from streams.kafka import clients
from streams.kafka.access import check
from streams.kafka.refusal import Refused, refused

#: Brokers want a name; nobody joins this group.
GROUP = "driftloop-inspect"


class Unreachable(PlatformError):
    """The broker does not answer. The request was fine: exit code 1."""

    exit_code = 1


class UnknownTopic(PlatformError):
    """The broker has no such topic."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One record where it lies. ``timestamp_ms`` is when the broker took it (wall time)."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)


#: Whether a record counts.
Keep = Callable[[Seen], bool]


@dataclass(frozen=True, slots=True)
class Tail:
    """The newest records, oldest first, and for each partition the offset at which reading goes on."""

    records: list[Seen]
    ends: dict[int, int]


@dataclass(slots=True)
class _Backwards:
    """How far back one partition has been read: all from ``end`` on has been seen."""

    low: int
    end: int
    records: list[Seen]


def newest(settings: Settings, topic: str, n: int, keep: Keep | None = None, timeout_s: float = 10.0) -> Tail:
    """Read the newest ``n`` committed records of ``topic`` that ``keep`` wants, over all partitions, in order of arrival.

    Raises UnknownTopic, and Unreachable where the broker does not answer within ``timeout_s``.
    """
    tail = newest_each(settings, topic, n, keep, timeout_s)
    records = sorted(tail.records, key=lambda seen: (seen.timestamp_ms, seen.partition, seen.offset))
    return Tail(records[-n:] if n else [], tail.ends)


def newest_each(settings: Settings, topic: str, n: int, keep: Keep | None = None, timeout_s: float = 10.0) -> Tail:
    """Read as ``newest``, but the newest ``n`` of every partition, partition by partition."""
    deadline = time.monotonic() + timeout_s
    with _open(settings) as consumer:
        try:
            partitions = {p: _Backwards(low, high, []) for p, (low, high) in _bounds(consumer, topic, timeout_s).items()}
            ends = {p: part.end for p, part in partitions.items()}
            # Twice: in the worst case every record is followed by its own commit marker.
            length = 2 * n + 16
            while open_ := {p: part for p, part in partitions.items() if part.end > part.low and len(part.records) < n}:
                _pass(consumer, topic, open_, length, keep, deadline)
                length *= 8
        except KafkaException as error:
            raise _unreachable(settings, error, topic) from error
    return Tail([seen for part in partitions.values() for seen in part.records[-n:]] if n else [], ends)


def at(settings: Settings, topic: str, partition: int, offset: int, timeout_s: float = 10.0) -> Seen | None:
    """Read the record at one place; None where there is none. Raises UnknownTopic, Unreachable."""
    with _open(settings) as consumer:
        try:
            low, high = _bounds(consumer, topic, timeout_s).get(partition, (0, 0))
            if not low <= offset < high:
                return None
            part = _Backwards(offset, offset + 1, [])
            _pass(consumer, topic, {partition: part}, 1, None, time.monotonic() + timeout_s)
        except KafkaException as error:
            raise _unreachable(settings, error, topic) from error
    return part.records[0] if part.records else None


def bounds(settings: Settings, topic: str, timeout_s: float = 10.0) -> dict[int, tuple[int, int]]:
    """Return the first and the next offset of each partition now. Raises UnknownTopic, Unreachable."""
    with _open(settings) as consumer:
        try:
            return _bounds(consumer, topic, timeout_s)
        except KafkaException as error:
            raise _unreachable(settings, error, topic) from error


def scan(settings: Settings, topic: str, within: dict[int, tuple[int, int]], timeout_s: float = 30.0) -> Iterator[Seen]:
    """Yield all committed records within the bounds, partition by partition, however many: few are in memory at a time.

    Raises Unreachable where nothing comes for ``timeout_s``.
    """
    with _open(settings) as consumer:
        try:
            for partition, (low, high) in within.items():
                if low < high:
                    consumer.assign([TopicPartition(topic, partition, low)])
                    yield from _forward(consumer, high, timeout_s)
        except KafkaException as error:
            raise _unreachable(settings, error, topic) from error


def _forward(consumer: Consumer, high: int, timeout_s: float) -> Iterator[Seen]:
    """Yield what the assigned partition holds below ``high``."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for message in consumer.consume(500, 0.2):
            deadline = time.monotonic() + timeout_s
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if error is not None or message.offset() >= high:
                return
            yield _seen(message)
            if message.offset() == high - 1:
                return
    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def follow(settings: Settings, topic: str, ends: dict[int, int], seconds: float = math.inf) -> Iterator[Seen]:
    """Yield records as they come, from the offsets ``ends`` on, for so many ``seconds``; for ever, where nothing is given."""
    deadline = time.monotonic() + seconds
    with _open(settings) as consumer:
        consumer.assign([TopicPartition(topic, p, offset) for p, offset in ends.items()])
        while time.monotonic() < deadline:
            # Short, so that Ctrl-C is heard.
            for message in consumer.consume(500, 0.2):
                if message.error() is None:
                    yield _seen(message)


def _open(settings: Settings) -> Consumer:
    if not settings.bootstrap_servers and not settings.ports.kafka:
        raise PlatformError(f"there is no platform in {settings.dir}; run driftloop up first, or name another folder with --dir")
    check(settings)
    # Without log_level librdkafka tells stderr of every failed connection; our own message says it once.
    return clients.consumer(settings, GROUP, **{"log_level": 0, "queued.min.messages": 2000})


def _bounds(consumer: Consumer, topic: str, timeout_s: float) -> dict[int, tuple[int, int]]:
    """Return the first and the next offset of each partition of ``topic``."""
    metadata = consumer.list_topics(topic, timeout_s).topics[topic]
    if metadata.error is not None and metadata.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        raise KafkaException(metadata.error)
    if metadata.error is not None:
        raise UnknownTopic(f"the broker has no topic {topic!r}; driftloop up creates the topics")
    return {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout_s) for p in metadata.partitions}


def _pass(consumer: Consumer, topic: str, parts: dict[int, _Backwards], length: int, keep: Keep | None, deadline: float) -> None:
    """Read up to ``length`` offsets before ``end`` of each partition, and put what is found before what was."""
    starts = {p: max(part.low, part.end - length) for p, part in parts.items()}
    fresh: dict[int, list[Seen]] = {p: [] for p in parts}
    waiting = set(parts)
    consumer.assign([TopicPartition(topic, p, start) for p, start in starts.items()])
    while waiting:
        if time.monotonic() > deadline:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        for message in consumer.consume(1000, 0.1):
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            p = message.partition()
            end = parts[p].end
            if error is not None or message.offset() >= end - 1:
                waiting.discard(p)
            if error is None and message.offset() < end:
                seen = _seen(message)
                if keep is None or keep(seen):
                    fresh[p].append(seen)
    for p, part in parts.items():
        part.records[:0] = fresh[p]
        part.end = starts[p]


def _seen(message: Message) -> Seen:
    record = record_of(message)
    return Seen(record.partition, record.offset, record.appended_ms, record.key, record.value, record.headers)


def _unreachable(settings: Settings, error: KafkaException, topic: str) -> Unreachable | Refused:
    return refused(settings, error.args[0], f"read the topic {topic}") or Unreachable(
        f"Kafka at {settings.bootstrap} does not answer ({error.args[0].str()}); is it up? See driftloop status"
    )
