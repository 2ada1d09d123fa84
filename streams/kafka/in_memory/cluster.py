"""What a cluster holds: logs, what groups have committed, and transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from streams.kafka.committed import Commit
from streams.kafka.in_memory.log import Entry, Headers, Log, Transaction
from streams.kafka.partitioners import HASHES
from streams.kafka.records import Partition, Record


class _Writer(NamedTuple):
    epoch: int
    transaction: Transaction | None


class Cluster:
    """``now_ms``: the broker's clock. One thread at a time writes.

    ``trouble``: called before each commit of a transaction; what it raises is what the client gets, and nothing is committed.
    """

    cluster_id = "in-memory"

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.trouble: Callable[[], None] = lambda: None
        self._now_ms = now_ms
        self._logs: dict[str, list[Log]] = {}
        self._commits: dict[tuple[str, Partition], Commit] = {}
        self._writers: dict[str, _Writer] = {}
        self._entries = 0

    def create(self, topics: Mapping[str, int]) -> None:
        """Create topics of so many partitions; those that are there stay."""
        for topic, partitions in topics.items():
            self._logs.setdefault(topic, [Log() for _ in range(partitions)])

    def partitions(self, topic: str) -> list[Partition]:
        return [(topic, number) for number in range(len(self._logs[topic]))]

    def log(self, place: Partition) -> Log:
        """Return a partition's log. Raises KafkaException where there is none."""
        topic, number = place
        if topic not in self._logs or number >= len(self._logs[topic]):
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"there is no {topic}[{number}]"))
        return self._logs[topic][number]

    def publish(self, records: Iterable[Record]) -> None:
        """Append records outside any transaction, each to its partition. ``offset`` is not looked at: a log counts its own.
        ``appended_ms`` 0: now."""
        for record in records:
            at_ms = record.appended_ms or self._now_ms()
            self._append((record.topic, record.partition), record.key, record.value, record.headers, at_ms)

    def read(self, topic: str) -> list[Record]:
        """Return what committed readers see of a topic, by partition."""
        records = []
        for place in self.partitions(topic):
            log = self.log(place)
            offset, entry = log.next(log.begin)
            while entry is not None:
                records.append(record_at(place, offset, entry))
                offset, entry = log.next(offset + 1)
        return records

    def committed(self, group: str, place: Partition) -> Commit | None:
        return self._commits.get((group, place))

    def commit(self, group: str, offsets: Mapping[Partition, Commit]) -> None:
        """Set offsets as a tool sets them, or a coordinator that has lost its way says them."""
        for place, commit in offsets.items():
            self._commits[group, place] = commit

    def begin_writer(self, name: str) -> int:
        """Let a producer take over a transactional id: what its predecessor left open is aborted. Return its epoch."""
        before = self._writers.get(name)
        if before is not None and before.transaction is not None:
            self._finish(before.transaction, "aborted")
        epoch = before.epoch + 1 if before is not None else 0
        self._writers[name] = _Writer(epoch, None)
        return epoch

    def begin(self, name: str, epoch: int) -> None:
        self._check(name, epoch)
        self._writers[name] = _Writer(epoch, Transaction())

    def write(self, name: str, epoch: int, place: Partition, key: bytes | None, value: bytes, headers: Headers) -> None:
        transaction = self._open(name, epoch)
        transaction.places.add(place)
        self._append(place, key, value, headers, self._now_ms(), transaction)

    def write_offsets(self, name: str, epoch: int, group: str, offsets: Mapping[Partition, Commit]) -> None:
        transaction = self._open(name, epoch)
        for place, commit in offsets.items():
            transaction.offsets[group, place] = commit.offset, commit.metadata or ""

    def end(self, name: str, epoch: int, *, commit: bool) -> None:
        """End the open transaction. Raises what ``trouble`` raises."""
        transaction = self._open(name, epoch)
        if commit:
            self.trouble()
        self._writers[name] = _Writer(epoch, None)
        self._finish(transaction, "committed" if commit else "aborted")
        if commit:
            for place, commit_fields in transaction.offsets.items():
                self._commits[place] = Commit(*commit_fields)

    def partition_of(self, topic: str, key: bytes | None) -> int:
        """Return the partition that our producers give a key; what has none goes to partition 0."""
        count = len(self._logs.get(topic, ())) or 1
        return HASHES["murmur2"](key) % count if key is not None else 0

    def _open(self, name: str, epoch: int) -> Transaction:
        self._check(name, epoch)
        transaction = self._writers[name].transaction
        if transaction is None:
            raise KafkaException(KafkaError(KafkaError._STATE, "no transaction is open"))
        return transaction

    def _check(self, name: str, epoch: int) -> None:
        if self._writers[name].epoch != epoch:
            raise KafkaException(KafkaError(KafkaError._FENCED, "a newer producer has this transactional id", True))

    def _finish(self, transaction: Transaction, state: Literal["committed", "aborted"]) -> None:
        transaction.state = state
        for place in sorted(transaction.places):
            self._append(place, None, None, [], self._now_ms(), None, marker=True)

    def _append(
        self,
        place: Partition,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        at_ms: int,
        transaction: Transaction | None = None,
        *,
        marker: bool = False,
    ) -> None:
        self._entries += 1
        self.log(place).append(Entry(self._entries, key, value, list(headers), at_ms, transaction, marker))


def record_at(place: Partition, offset: int, entry: Entry) -> Record:
    """Return an entry as the record that cores take."""
    return Record(*place, offset, entry.key, entry.value, entry.headers, entry.appended_ms)
