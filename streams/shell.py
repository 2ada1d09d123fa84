"""The Kafka shell around a pure core: consume, process, produce and offsets in one transaction.

Life of a shell::

    subscribe -> assigned -> restore (replay the log up to the committed offset) -> loop: poll, process, sink, commit
                    ^                                                                |
                    +------------------ partitions move ---------------------------- +
    SIGTERM: the batch in hand is committed, then the group is left.
    An aborted transaction: the error is raised, the process ends, its supervisor starts it anew, and the state is
    rebuilt from the log; a state that went through an aborted batch is never used again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from features.settings import Settings
from streams import metrics
from streams.core import Core, Output, Record, Sink
from streams.kafka import consumer, producer
from streams.refusal import refused
from streams.restore import record_of, replay

log = logging.getLogger(__name__)

#: A transaction of its own just to move offsets past a commit marker costs latency, so it waits for a quiet moment.
QUIET_S = 0.1
#: Longest pause between two turns of the loop before /healthz turns red; one turn may hold a retried model call.
STUCK_S = 60.0


class Shell:
    """Runs one core until ``stop()``. Exactly-once towards Kafka; a sink is written before the commit, at least once."""

    def __init__(
        self,
        settings: Settings,
        core: Core,
        sink: Sink | None = None,
        max_batch: int | None = None,
        linger_s: float | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        self._settings = settings
        self._core = core
        self._sink = sink
        self._max_batch = max_batch or settings.scoring.max_batch
        self._linger_s = settings.scoring.linger_ms / 1000 if linger_s is None else linger_s
        # A core that waits for something else (the scorer for its model server) shares this event, so that it can be stopped.
        self._stop = stopping or threading.Event()
        self._assigned = False
        self._turned_at = time.monotonic()
        self._committed: dict[tuple[str, int], int] = {}
        self._ends: dict[tuple[str, int], int] = {}
        # One id per member, the same after a restart: the new process fences its predecessor and ends its open transaction.
        instance = os.environ.get("DRIFTLOOP_INSTANCE", "0")
        self._producer = producer(settings, transactional_id=f"driftloop-{core.name}-{instance}")

    def stop(self) -> None:
        """Ask the loop to end after the batch in hand. Safe from a signal handler or another thread."""
        self._stop.set()

    def health(self) -> list[str]:
        """What is wrong, in words."""
        reasons = []
        quiet = time.monotonic() - self._turned_at
        if quiet > STUCK_S:
            reasons.append(f"{self._core.name}: no turn of the loop for {quiet:.0f} s")
        if not self._assigned:
            reasons.append(f"{self._core.name}: no partitions assigned yet")
        return reasons

    def run(self) -> None:
        """The loop. Raises KafkaException when the broker fences this member or a transaction must be given up."""
        self._producer.init_transactions(30)
        source = consumer(self._settings, self._core.name)
        source.subscribe(list(self._core.inputs), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke)
        last_records = time.monotonic()
        try:
            while not self._stop.is_set():
                started = time.monotonic()
                self._turned_at = started
                records, newest = self._poll(source)
                if records:
                    self._turn(source, records, newest)
                    last_records = time.monotonic()
                    metrics.BATCH_SECONDS.labels(self._core.name).observe(last_records - started)
                elif time.monotonic() - last_records > QUIET_S:
                    self._catch_up_offsets(source)
        except Exception:
            if not self._stop.is_set():
                raise
            log.info("%s: stopped within a batch, which is not committed", self._core.name, exc_info=True)
        finally:
            source.close()
            self._producer.close()

    def _poll(self, source: Consumer) -> tuple[list[Record], dict[tuple[str, int], int]]:
        """Wait for a first record, then take what else is there within the linger. Returns records and next offsets."""
        messages = source.consume(1, 0.05)
        if messages and messages[0].error() is None and self._max_batch > 1:
            messages += source.consume(self._max_batch - 1, self._linger_s)
        records: list[Record] = []
        newest: dict[tuple[str, int], int] = {}
        for message in messages:
            error = message.error()
            if error is None:
                record = record_of(message)
                records.append(record)
                newest[record.topic, record.partition] = record.offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ends[message.topic(), message.partition()] = message.offset()
            elif (refusal := refused(self._settings, error, f"read {message.topic() or self._core.name}")) is not None:
                raise refusal
            elif error.fatal():
                raise KafkaException(error)
            else:
                log.warning("%s: %s", self._core.name, error)
        return records, newest

    def _turn(self, source: Consumer, records: Sequence[Record], newest: dict[tuple[str, int], int]) -> None:
        """One micro-batch, one transaction."""
        name = self._core.name
        output = self._core.process(records)
        if self._sink is not None and output.rows:
            self._sink.write(output.rows)
        # An end seen after the newest record may lie beyond a commit marker: commit that, and the lag reads zero.
        offsets = {tp: max(offset, self._ends.get(tp, 0)) for tp, offset in newest.items()}
        self._commit(source, output, offsets)
        metrics.BATCH_RECORDS.labels(name).observe(len(records))
        for topic in {record.topic for record in records}:
            metrics.CONSUMED.labels(name, topic).inc(sum(record.topic == topic for record in records))

    def _commit(self, source: Consumer, output: Output, offsets: dict[tuple[str, int], int]) -> None:
        sink = self._producer
        sink.begin_transaction()
        try:
            for item in output.produce:
                self._produce(item.topic, item.key, item.value, item.partition, item.headers)
            moved = [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
            sink.send_offsets_to_transaction(moved, source.consumer_group_metadata(), 30)
            sink.commit_transaction(30)
        except KafkaException:
            log.exception("%s: transaction given up at %s", self._core.name, offsets)
            sink.abort_transaction(10)
            raise
        self._committed.update(offsets)
        for item_topic in {item.topic for item in output.produce}:
            count = sum(item.topic == item_topic for item in output.produce)
            metrics.PRODUCED.labels(self._core.name, item_topic).inc(count)

    def _produce(
        self, topic: str, key: bytes | None, value: bytes, partition: int, headers: list[tuple[str, bytes | None]]
    ) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _catch_up_offsets(self, source: Consumer) -> None:
        """Commit the partition ends, which lie behind commit markers that no record stands for (design, decision 14)."""
        moved = {tp: end for tp, end in self._ends.items() if end > self._committed.get(tp, -1)}
        if moved:
            self._commit(source, Output(), moved)

    def _on_assign(self, source: Consumer, partitions: list[TopicPartition]) -> None:
        committed = source.committed(partitions, 30)
        self._committed = {(tp.topic, tp.partition): tp.offset for tp in committed}
        again = [tp for topic in self._core.replays for tp in committed if tp.topic == topic]
        count = replay(self._settings, again, self._core.restore)
        self._assigned = True
        log.info("%s: %d partitions assigned, %d records replayed", self._core.name, len(partitions), count)

    def _on_revoke(self, source: Consumer, partitions: list[TopicPartition]) -> None:
        gone = [(tp.topic, tp.partition) for tp in partitions]
        self._core.forget(gone)
        for tp in gone:
            self._ends.pop(tp, None)
            self._committed.pop(tp, None)
        log.info("%s: %d partitions given up", self._core.name, len(gone))
