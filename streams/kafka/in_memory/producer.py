"""The part of confluent_kafka's transactional producer that ``streams.kafka.transactions`` uses."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.kafka.committed import Commit
from streams.kafka.in_memory.cluster import Cluster
from streams.topics import DLQ_MAX_BYTES


class Producer:
    """Writes at once, so that a transaction that is open is in the log. ``dead``: its process is gone, and ends nothing."""

    def __init__(self, cluster: Cluster, transactional_id: str) -> None:
        self.dead = False
        self._cluster = cluster
        self._name = transactional_id
        self._epoch = -1
        self._open = False

    def init_transactions(self, timeout: float = -1) -> None:
        self._epoch = self._cluster.begin_writer(self._name)

    def begin_transaction(self) -> None:
        self._cluster.begin(self._name, self._epoch)
        self._open = True

    def produce(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        partition: int = -1,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        """Write a record. Raises KafkaException where the value is larger than our clients send."""
        if len(value) > DLQ_MAX_BYTES:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        number = partition if partition >= 0 else self._cluster.partition_of(topic, key)
        self._cluster.write(self._name, self._epoch, (topic, number), key, value, list(headers))

    def send_offsets_to_transaction(self, offsets: Sequence[TopicPartition], group: object, timeout: float = -1) -> None:
        moved = {(tp.topic, tp.partition): Commit(tp.offset, tp.metadata) for tp in offsets}
        self._cluster.write_offsets(self._name, self._epoch, str(group), moved)

    def commit_transaction(self, timeout: float = -1) -> None:
        self._cluster.end(self._name, self._epoch, commit=True)
        self._open = False

    def abort_transaction(self, timeout: float = -1) -> None:
        self._cluster.end(self._name, self._epoch, commit=False)
        self._open = False

    def flush(self, timeout: float = -1) -> int:
        return 0

    def poll(self, timeout: float = -1) -> int:
        return 0

    def close(self) -> None:
        """Abort what is open."""
        if self._open and not self.dead:
            self.abort_transaction()
