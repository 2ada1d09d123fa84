"""The part of confluent_kafka's consumer that the shell, the assignment and the replay of a log use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from streams.kafka.in_memory.cluster import Cluster
from streams.kafka.in_memory.log import Entry
from streams.kafka.records import Partition

#: What a poll in vain costs: a caller's wait must not turn into a spin.
_IDLE_S = 0.001


class Message:
    """A record, or an error about a partition."""

    def __init__(self, place: Partition, offset: int, entry: Entry | None = None, error: int | None = None) -> None:
        self._place, self._offset, self._entry = place, offset, entry
        self._error = None if error is None else KafkaError(error)

    def topic(self) -> str:
        return self._place[0]

    def partition(self) -> int:
        return self._place[1]

    def offset(self) -> int:
        return self._offset

    def error(self) -> KafkaError | None:
        return self._error

    def key(self) -> bytes | None:
        return self._entry.key if self._entry is not None else None

    def value(self) -> bytes | None:
        return self._entry.value if self._entry is not None else None

    def headers(self) -> list[tuple[str, bytes | None]]:
        return list(self._entry.headers) if self._entry is not None else []

    def timestamp(self) -> tuple[int, int]:
        """Return the kind (2: when the broker took it) and ms."""
        return 2, self._entry.appended_ms if self._entry is not None else 0


#: A consumer that has subscribed, and how many records it wants; returns how many it may have.
Pace = Callable[["Consumer", int], int]
_Callback = Callable[[Any, list[TopicPartition]], None]


class Consumer:
    """Reads committed records in the order in which the broker took them. Of the members of a group, ``give`` and ``take`` move
    partitions, each within a call of ``consume``, as callbacks of a rebalance come. ``dead``: its process is gone."""

    def __init__(self, cluster: Cluster, group: str, pace: Pace, *, cooperative: bool) -> None:
        self.dead = False
        self._cluster = cluster
        self._group = group
        self._pace = pace
        self._cooperative = cooperative
        self._subscribed = False
        self._on_assign: _Callback = lambda *_: None
        self._on_revoke: _Callback = lambda *_: None
        self._on_lost: _Callback = lambda *_: None
        #: What the group has assigned; a callback that raises leaves it unread.
        self._given: list[Partition] = []
        self._positions: dict[Partition, int] = {}
        # Outlives an assignment, as in librdkafka.
        self._paused: set[Partition] = set()
        #: Whose log was cut beneath them: nothing comes of these any more until they are assigned anew.
        self._cut: set[Partition] = set()
        self._ended: set[Partition] = set()

    def subscribe(self, topics: list[str], on_assign: _Callback, on_revoke: _Callback, on_lost: _Callback) -> None:
        self._on_assign, self._on_revoke, self._on_lost = on_assign, on_revoke, on_lost
        self._subscribed = True

    @property
    def assigned(self) -> list[Partition]:
        return list(self._given)

    @property
    def ready(self) -> int:
        """Return how many partitions have a record to hand out."""
        return sum(self._next(place)[1] is not None for place in self._readable())

    @property
    def waits(self) -> bool:
        """Tell whether a partition is paused."""
        return bool(self._paused & self._positions.keys())

    def give(self, places: Iterable[Partition]) -> None:
        """Assign these, too, as the group does."""
        new = list(places)
        if not self._cooperative and self._given:
            self._on_revoke(self, _named(self._given))
            new, self._given = self._given + new, []
        self._given += new
        self._on_assign(self, _named(new))

    def take(self, places: Iterable[Partition], *, lost: bool = False) -> None:
        """Take these away, as the group does; ``lost``: it went on without this member."""
        gone = set(places)
        callback = self._on_lost if lost else self._on_revoke
        before, self._given = self._given, [place for place in self._given if place not in gone]
        if self._cooperative:
            callback(self, _named(place for place in before if place in gone))
        else:
            callback(self, _named(before))
            self._on_assign(self, _named(self._given))

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """Return at most so many; at the end of a partition, an error says so once."""
        if errors := self._errors():
            return errors
        count = self._pace(self, num_messages) if self._subscribed else num_messages
        messages: list[Message] = []
        while len(messages) < count:
            ready = [(entry.number, place, offset, entry) for place, offset, entry in self._heads() if entry is not None]
            if not ready:
                break
            _, place, offset, entry = min(ready, key=lambda head: head[0])
            self._positions[place] = offset + 1
            self._ended.discard(place)
            messages.append(Message(place, offset, entry))
        if len(messages) < num_messages:
            messages += self._ends()
        if not messages and timeout > 0:
            time.sleep(min(timeout, _IDLE_S))
        return messages

    def committed(self, partitions: Sequence[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        commits = []
        for tp in partitions:
            commit = self._cluster.committed(self._group, (tp.topic, tp.partition))
            if commit is None:
                commits.append(TopicPartition(tp.topic, tp.partition, OFFSET_INVALID))
            else:
                commits.append(TopicPartition(tp.topic, tp.partition, commit.offset, commit.metadata or ""))
        return commits

    def get_watermark_offsets(self, tp: TopicPartition, timeout: float = -1, cached: bool = False) -> tuple[int, int]:
        log = self._cluster.log((tp.topic, tp.partition))
        return log.begin, log.stable

    def consumer_group_metadata(self) -> object:
        return self._group

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> object:
        return SimpleNamespace(cluster_id=self._cluster.cluster_id)

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._positions.clear()
        self.incremental_assign(partitions)

    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        for tp in partitions:
            place = (tp.topic, tp.partition)
            self._positions[place] = tp.offset if tp.offset >= 0 else self._cluster.log(place).begin
            self._cut.discard(place)
            self._ended.discard(place)

    def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        for tp in partitions:
            self._positions.pop((tp.topic, tp.partition), None)

    def unassign(self) -> None:
        self._positions.clear()

    def seek(self, tp: TopicPartition) -> None:
        """Read on from an offset. Raises KafkaException where the partition's log was cut beneath it."""
        place = (tp.topic, tp.partition)
        if place not in self._positions or place in self._cut:
            raise KafkaException(KafkaError(KafkaError._STATE, "the partition is not read"))
        self.incremental_assign([tp])

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._paused |= {(tp.topic, tp.partition) for tp in partitions}

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self._paused -= {(tp.topic, tp.partition) for tp in partitions}

    def close(self) -> None:
        """Leave the group."""
        if self._given and not self.dead:
            self._on_revoke(self, _named(self._given))
        self._given.clear()
        self._positions.clear()

    def _readable(self) -> list[Partition]:
        return [place for place in self._positions if place not in self._paused and place not in self._cut]

    def _next(self, place: Partition) -> tuple[int, Entry | None]:
        return self._cluster.log(place).next(self._positions[place])

    def _heads(self) -> list[tuple[Partition, int, Entry | None]]:
        return [(place, *self._next(place)) for place in self._readable()]

    def _errors(self) -> list[Message]:
        cut = [place for place in self._readable() if self._positions[place] < self._cluster.log(place).begin]
        self._cut |= set(cut)
        return [Message(place, self._positions[place], error=KafkaError._AUTO_OFFSET_RESET) for place in cut]

    def _ends(self) -> list[Message]:
        ends = []
        for place, offset, entry in self._heads():
            # Markers, and what was aborted, move the end: it is told again.
            if entry is None and (place not in self._ended or offset > self._positions[place]):
                self._positions[place] = offset
                self._ended.add(place)
                ends.append(Message(place, offset, error=KafkaError._PARTITION_EOF))
        return ends


def _named(places: Iterable[Partition]) -> list[TopicPartition]:
    return [TopicPartition(*place) for place in places]
