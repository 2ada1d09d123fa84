"""The stream: records at a steady rate from a thread, with the order and the offsets that the broker gave them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, Message

from features.base.settings import Settings
from streams.kafka.clients import producer
from streams.kafka.partitioners import KNOWN
from tests.chaos.world import Sent


class Stream:
    """Publishes ``records`` at ``rate`` a second, and what ``burst`` is handed in between, from one idempotent producer."""

    def __init__(self, settings: Settings, records: Sequence[Sent], rate: float) -> None:
        #: The broker may be away for long: nothing is given up.
        self._producer = producer(settings, None, **{"message.timeout.ms": 900_000, "queue.buffering.max.messages": 1_000_000})
        self._partitions = settings.partitions
        self._records = records
        self._rate = rate
        self._bursts: list[list[Sent]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        #: Of ``transactions``: by partition, the offset behind the newest acknowledged record.
        self.ends: dict[int, int] = {}
        #: What the broker acknowledged: the value's hash by (topic, partition, offset).
        self.acknowledged: dict[tuple[str, int, int], int] = {}
        #: Of ``transactions``: how many of ``records`` were sent, bursts aside.
        self.sent = 0
        self.failed: list[str] = []
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def burst(self, records: list[Sent]) -> None:
        """Send these at once."""
        with self._lock:
            self._bursts.append(records)

    def stop(self) -> None:
        """End, and wait for everything to be acknowledged."""
        self._stop.set()
        self._thread.join(300)
        left = self._producer.flush(300)
        assert left == 0, f"{left} records were never acknowledged"
        assert not self.failed, self.failed[:3]
        self._producer.close()

    @property
    def exhausted(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        began, at = time.monotonic(), 0
        while not self._stop.is_set() and at < len(self._records):
            with self._lock:
                bursts, self._bursts = self._bursts, []
            for burst in bursts:
                for record in burst:
                    self._send(record)
            due = min(len(self._records), int((time.monotonic() - began) * self._rate))
            for record in self._records[at:due]:
                self._send(record)
                self.sent += record.topic == "transactions"
            at = max(at, due)
            self._producer.poll(0.01)
            self._stop.wait(0.02)

    def _send(self, record: Sent) -> None:
        while True:
            try:
                partition = KNOWN[record.partitioner](record.key, self._partitions) if record.partitioner and record.key else -1
                self._producer.produce(record.topic, record.value, record.key, partition, on_delivery=self._delivered)
                break
            except BufferError:  # the history is published as fast as the broker takes it
                self._producer.poll(0.1)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed.append(str(error))
        else:
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            assert topic is not None
            assert partition is not None
            assert offset is not None
            place = topic, partition, offset
            if place in self.acknowledged:
                self.failed.append(f"{place} was given twice")
            self.acknowledged[place] = hash(message.value())
            if topic == "transactions":
                self.ends[partition] = max(self.ends.get(partition, 0), offset + 1)
