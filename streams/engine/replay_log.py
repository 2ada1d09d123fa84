"""Bringing state back: read a partition's log again, up to what was committed, without emitting."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from operator import methodcaller
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from features.base.settings import Settings
from streams.engine.repartition_header import negative
from streams.kafka.broker import KAFKA, Broker
from streams.kafka.end_offsets import PASSING
from streams.kafka.records import Partition, Record

log = logging.getLogger(__name__)

_TIMEOUT_S = 30.0
_AGAIN_S = 0.2


class Span(NamedTuple):
    """Offsets [begin, end) of a partition that are to be read again; those below ``copied`` are copies
    (``streams.engine.repartition_header``)."""

    begin: int
    end: int
    copied: int = 0


def replay(
    settings: Settings,
    spans: Mapping[Partition, Span],
    restore: Callable[[Sequence[Record]], None],
    trimmed: Callable[[Partition, int, int], None] = lambda partition, begin, log_begin: None,
    batch: int = 20_000,
    broker: Broker = KAFKA,
) -> int:
    """Feed every record of the spans to ``restore``, one topic after the other; return how many.

    Within a partition the records come in offset order. ``trimmed(partition, begin, log_begin)`` is called first for each
    partition whose log begins, at ``log_begin``, only behind its span's begin. Raises KafkaException where the broker fails.
    """
    done = 0
    for topic in dict.fromkeys(topic for topic, _ in spans):
        of_topic = {p: span for (t, p), span in spans.items() if t == topic}
        done += _replay_topic(settings, topic, of_topic, restore, trimmed, batch, broker)
    return done


def _replay_topic(
    settings: Settings,
    topic: str,
    spans: dict[int, Span],
    restore: Callable[[Sequence[Record]], None],
    trimmed: Callable[[Partition, int, int], None],
    batch: int,
    broker: Broker,
) -> int:
    # Where the log is cut while it is read, half a state would pass for a whole one: it is an error, and the next try is told.
    own: dict[str, str | int | bool] = {"session.timeout.ms": 45_000, "auto.offset.reset": "error"}
    reader = broker.consumer(settings, f"driftloop-restore-{uuid.uuid4().hex}", **own)
    done = 0
    try:
        begins = _begins(reader, topic, spans, trimmed)
        ends = {p: span.end for p, span in spans.items() if span.end > begins[p]}
        if ends:
            reader.assign([TopicPartition(topic, p, begins[p]) for p in ends])
            done = _read(reader, ends, {p: span.copied for p, span in spans.items()}, restore, batch)
            log.info("restored from %s: %d records below %s", topic, done, ends)
    finally:
        reader.close()
    return done


def _begins(
    reader: Consumer, topic: str, spans: dict[int, Span], trimmed: Callable[[Partition, int, int], None]
) -> dict[int, int]:
    """Return where to begin in each partition: where its span does, or where its log does, if that is later."""
    begins = {}
    for partition, span in spans.items():
        log_begin = _log_begin(reader, TopicPartition(topic, partition))
        begins[partition] = max(span.begin, log_begin)
        if log_begin > span.begin:
            trimmed((topic, partition), span.begin, log_begin)
    return begins


def _log_begin(reader: Consumer, place: TopicPartition) -> int:
    """Return the first offset of a partition. A broker that has just come to lead it, or not yet, is asked again."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            begin: int = reader.get_watermark_offsets(place, _TIMEOUT_S)[0]
        except KafkaException as error:
            if error.args[0].code() not in PASSING or time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_S)
        else:
            return begin


def _read(
    reader: Consumer, ends: dict[int, int], copied: dict[int, int], restore: Callable[[Sequence[Record]], None], batch: int
) -> int:
    open_partitions = set(ends)
    done = 0
    while open_partitions:
        records = []
        for message in reader.consume(batch, 0.5):
            partition, offset, error = message.partition(), message.offset(), message.error()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                open_partitions.discard(partition)
            elif offset >= ends[partition]:
                open_partitions.discard(partition)
            else:
                records.append(negative(record_of(message), copied[partition]))
                if offset == ends[partition] - 1:
                    open_partitions.discard(partition)
        if records:
            restore(records)
            done += len(records)
    return done


#: Not ``message.headers()``: where a name is not UTF-8, confluent-kafka returns a list with holes and leaves an exception behind,
#: which the interpreter's quick calls overlook, so that whatever is called next seems to fail.
_headers = methodcaller("headers")


def record_of(message: Message) -> Record:
    """Turn a confluent_kafka message into the plain record that cores take. Headers that cannot be read, all of them, are left
    out."""
    try:
        headers = _headers(message) or []
    except SystemError:
        headers = []
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        headers,
        message.timestamp()[1],
    )
