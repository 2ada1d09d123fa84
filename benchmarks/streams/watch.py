"""What a processor did between its first output and its last, seen from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition

from benchmarks.streams.child import Child
from features.settings import Settings
from streams.kafka import admin, consumer

_EVERY_S = 0.05
_CALL_S = 10.0

#: How many records of the input are done with, by what is to be seen at the broker.
Progress = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Run:
    """``events`` that left the process from its first visible output to its last; wall and CPU seconds between the two."""

    events: int
    wall_s: float
    cpu_s: float


def watch(child: Child, progress: Progress, total: int, last_ms: Callable[[], int], timeout_s: float) -> Run:
    """Wait until ``progress`` is at ``total``. ``last_ms``: when the newest output was written, by the broker's clock.

    What came with the first output, and the CPU used until then (imports, compiling), is not counted. Raises TimeoutError, and
    RuntimeError where the process ends.
    """
    deadline = time.monotonic() + timeout_s
    while (first := progress()) == 0:
        _turn(child, deadline, first, total)
    began, used = time.time(), child.cpu_s()
    while (done := progress()) < total:
        _turn(child, deadline, done, total)
    cpu = child.cpu_s() - used
    return Run(total - first, last_ms() / 1000 - began, cpu)


def _turn(child: Child, deadline: float, done: int, total: int) -> None:
    child.cpu_s()
    if time.monotonic() > deadline:
        raise TimeoutError(f"{done} of {total} events were done in time; the log is {child.log}")
    time.sleep(_EVERY_S)


class Topics:
    """Questions about topics and groups."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = admin(settings)

    def ends(self, topic: str) -> list[TopicPartition]:
        """The end of each partition, commit markers included."""
        reader = self._reader()
        found = [
            TopicPartition(topic, partition, reader.get_watermark_offsets(TopicPartition(topic, partition), _CALL_S)[1])
            for partition in range(self._settings.partitions)
        ]
        reader.close()
        return found

    def committed(self, group: str, topic: str) -> Progress:
        """Records of ``topic`` that ``group`` has committed: it must hold no markers, and begin at 0."""

        def ask() -> int:
            asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=_CALL_S)
            found = asked[group].result().topic_partitions or []
            return sum(max(0, place.offset) for place in found if place.topic == topic)

        return ask

    def written(self, topic: str) -> Progress:
        """Records of a ``topic`` that is written without transactions."""
        reader = self._reader()
        places = [TopicPartition(topic, partition) for partition in range(self._settings.partitions)]
        before = sum(reader.get_watermark_offsets(place, _CALL_S)[1] for place in places)
        return lambda: sum(reader.get_watermark_offsets(place, _CALL_S)[1] for place in places) - before

    def newest_ms(self, topic: str) -> int:
        """When the newest record was appended. In transactions, the end is behind a marker: some offsets before it."""
        reader = self._reader()
        newest = 0
        for end in self.ends(topic):
            if end.offset == 0:
                continue
            reader.assign([TopicPartition(topic, end.partition, max(0, end.offset - 10))])
            at_end = False
            while not at_end:
                message = reader.poll(_CALL_S)
                if message is None:
                    raise TimeoutError(f"{topic}[{end.partition}] does not come to its end")
                at_end = message.error() is not None
                newest = max(newest, 0 if at_end else message.timestamp()[1])
        reader.close()
        return newest

    def forget(self, group: str) -> None:
        """Drop what the group has committed: its next member reads from the beginning."""
        for future in self._admin.delete_consumer_groups([group], request_timeout=_CALL_S).values():
            future.result()

    def _reader(self) -> Consumer:
        return consumer(self._settings, "benchmark-look")
