"""Reading parts of logs, and writing records to given partitions."""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from features.base.settings import Settings
from streams.engine.replay_log import record_of
from streams.kafka import clients
from streams.kafka.records import Record

_PATIENCE_S = 60.0
#: Records that are held of all partitions together while they are merged.
HELD = 100_000


class Reader:
    """Reads committed records, a bounded piece of one partition at a time."""

    def __init__(self, settings: Settings, piece: int) -> None:
        self._piece = piece
        self._consumer = clients.consumer(settings, "driftloop-repartition", **{"queued.min.messages": piece, "log_level": 2})

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def pieces(self, topic: str, partition: int, begin: int, end: int) -> Iterator[list[Record]]:
        """Yield the records of [begin, end), in order. Raises KafkaException, also where nothing comes for a minute."""
        at = begin
        while at < end:
            records, at = self._one(topic, partition, at, end)
            if records:
                yield records

    def _one(self, topic: str, partition: int, begin: int, end: int) -> tuple[list[Record], int]:
        self._consumer.assign([TopicPartition(topic, partition, begin)])
        records: list[Record] = []
        at, deadline = begin, time.monotonic() + _PATIENCE_S
        while len(records) < self._piece and at < end:
            messages = self._consumer.consume(self._piece - len(records), 0.2)
            if not messages and time.monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{topic}[{partition}] gives nothing at {at} of {end}"))
            for message in messages:
                if (message.topic(), message.partition()) != (topic, partition):
                    continue
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                if error is not None or message.offset() >= end:
                    # Markers and aborted records lie before the end, and nothing else.
                    at = max(at, min(message.offset(), end))
                    continue
                records.append(record_of(message))
                at = message.offset() + 1
                deadline = time.monotonic() + _PATIENCE_S
        return records, at


class Writer:
    """Writes to given partitions, in order and each record once. ``counts``: records by topic and partition."""

    def __init__(self, settings: Settings) -> None:
        # Waits as long as a broker restarts; more than one try a record is safe, for the producer is idempotent.
        self._producer = clients.producer(settings, None, **{"linger.ms": 20, "log_level": 2})
        self._failed: KafkaError | None = None
        #: The highest offset that was given to a record of this writer.
        self.newest: dict[tuple[str, int], int] = {}
        self.counts: dict[tuple[str, int], int] = {}

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close()

    def put(self, topic: str, partition: int, record: Record, headers: list[tuple[str, bytes | None]]) -> None:
        """Put the record. Raises KafkaException where an earlier record could not be written."""
        place = topic, partition
        while True:
            try:
                self._producer.produce(topic, record.value, record.key, partition, headers=headers, on_delivery=self._delivered)
                break
            except BufferError:
                self._producer.poll(0.1)
        self.counts[place] = self.counts.get(place, 0) + 1
        self._producer.poll(0)
        self._check()

    def flush(self) -> None:
        """Wait until all that was put is written. Raises KafkaException."""
        while self._producer.flush(10):
            self._check()
        self._check()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed = self._failed or error
        else:
            place = message.topic(), message.partition()
            self.newest[place] = max(message.offset(), self.newest.get(place, -1))

    def _check(self) -> None:
        if self._failed is not None:
            raise KafkaException(self._failed)
