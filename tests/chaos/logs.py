"""Reading what is committed in a topic, to its end, in the order of each partition."""

from __future__ import annotations

import uuid

from confluent_kafka import TopicPartition

from features.base.settings import Settings
from streams.engine.replay_log import record_of
from streams.kafka.clients import consumer
from streams.kafka.records import Record


def committed(settings: Settings, topic: str, partitions: int) -> dict[int, list[Record]]:
    """All committed records by partition, in offset order."""
    reader = consumer(settings, f"chaos-{uuid.uuid4().hex}")
    records: dict[int, list[Record]] = {p: [] for p in range(partitions)}
    open_partitions = set(records)
    try:
        reader.assign([TopicPartition(topic, p, 0) for p in records])
        while open_partitions:
            for message in reader.consume(10_000, 1.0):
                if message.error() is None:
                    record = record_of(message)
                    records[record.partition].append(record)
                else:
                    partition = message.partition()
                    assert partition is not None
                    open_partitions.discard(partition)
    finally:
        reader.close()
    return records
