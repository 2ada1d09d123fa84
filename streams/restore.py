"""Bringing state back: read a partition's log again, up to what was committed, without emitting."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from features.settings import Settings
from streams.core import Record
from streams.kafka import consumer

log = logging.getLogger(__name__)


def replay(
    settings: Settings,
    upto: Sequence[TopicPartition],
    restore: Callable[[Sequence[Record]], None],
    batch: int = 20_000,
) -> int:
    """Feed every record below the offsets in ``upto`` to ``restore``, one topic after the other; return how many.

    Within a partition the records come in offset order. Raises KafkaException where the broker fails.
    """
    done = 0
    for topic in dict.fromkeys(tp.topic for tp in upto):
        ends = {tp.partition: tp.offset for tp in upto if tp.topic == topic and tp.offset > 0}
        if ends:
            done += _replay_topic(settings, topic, ends, restore, batch)
    return done


def _replay_topic(
    settings: Settings, topic: str, ends: dict[int, int], restore: Callable[[Sequence[Record]], None], batch: int
) -> int:
    reader = consumer(settings, f"driftloop-restore-{uuid.uuid4().hex}", **{"session.timeout.ms": 45_000})
    open_partitions = set(ends)
    done = 0
    try:
        reader.assign([TopicPartition(topic, p, 0) for p in ends])
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
                    records.append(record_of(message))
                    if offset == ends[partition] - 1:
                        open_partitions.discard(partition)
            if records:
                restore(records)
                done += len(records)
    finally:
        reader.close()
    log.info("restored from %s: %d records below %s", topic, done, ends)
    return done


def record_of(message: Message) -> Record:
    """A confluent_kafka message as the plain record that cores take."""
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        message.headers() or [],
    )
