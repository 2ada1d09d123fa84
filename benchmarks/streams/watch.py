"""What a processor did between its first output and its last, seen from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from benchmarks.streams.world import create
from features.base.settings import Settings
from streams.kafka.clients import admin, consumer
from streams.kafka.committed import NOT_YET, Committed

_EVERY_S = 0.05
_CALL_S = 10.0

#: How many records of the input are done with, by what is to be seen at the broker.
Progress = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Run:
    """``events`` that were there at once; wall and CPU seconds of the process from then until its last output."""

    events: int
    wall_s: float
    cpu_s: float


class Process(Protocol):
    """What is watched: a ``Child``, or several as one."""

    def tail(self) -> str: ...
    def cpu_s(self) -> float: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


def wait(child: Process, progress: Progress, total: int, patience_s: float) -> None:
    """Until ``progress`` is at ``total``. Raises TimeoutError, with the end of its log, where nothing is done for ``patience_s``
    seconds; RuntimeError where the process ends."""
    before, since = -1, time.monotonic()
    while (done := progress()) < total:
        child.cpu_s()
        clock_s = time.monotonic()
        if done != before:
            before, since = done, clock_s
        elif clock_s - since > patience_s:
            raise TimeoutError(f"still {done} of {total} events after {patience_s:.0f} s; the log ends:\n{child.tail()}")
        time.sleep(_EVERY_S)


def backlog(
    child: Process, progress: Progress, warm: int, total: int, publish: Callable[[], None], patience_s: float
) -> tuple[float, float]:
    """Let a process that has done ``warm`` events meet all the others at once: when that was (Unix time), its CPU seconds since.

    It is stopped while they are published, so that neither imports and compiling nor the publishing count, and so that nothing is
    fetched before the clock runs.
    """
    wait(child, progress, warm, patience_s)
    time.sleep(1.0)
    used = child.cpu_s()
    child.pause()
    publish()
    began = time.time()
    child.resume()
    wait(child, progress, total, patience_s)
    return began, child.cpu_s() - used


class Topics:
    """Questions about topics and groups."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = admin(settings)
        self._committed = Committed(settings)

    def ends(self, topic: str) -> list[TopicPartition]:
        """The end of each partition, commit markers included."""
        places = [TopicPartition(topic, partition) for partition in range(self._settings.partitions)]
        asked = self._admin.list_offsets(
            dict.fromkeys(places, OffsetSpec.latest()), isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_CALL_S
        )
        return [TopicPartition(topic, place.partition, asked[place].result().offset) for place in places]

    def committed(self, group: str, topic: str) -> Progress:
        """Records of ``topic`` that ``group`` has committed: it must hold no markers, and begin at 0."""

        places = [(topic, partition) for partition in range(self._settings.partitions)]

        def ask() -> int:
            try:
                # Not by the admin client: at a coordinator that is loading, librdkafka's call ends the process.
                commits = self._committed.read({group: places}, _CALL_S)[group]
            except KafkaException as error:
                if not error.args[0].retriable() and error.args[0].code() not in NOT_YET:
                    raise
                return 0  # a new broker's coordinator is not there yet
            return sum(max(0, place.offset) for place in commits.values())

        return ask

    def commit(self, group: str, topic: str) -> None:
        """Let ``group``, which has no members, have read ``topic`` up to its end."""
        member = consumer(self._settings, group)
        member.commit(offsets=self.ends(topic), asynchronous=False)
        member.close()

    def written(self, topic: str) -> Progress:
        """Records of a ``topic`` that is written without transactions."""
        return lambda: sum(end.offset for end in self.ends(topic))

    def newest_ms(self, topic: str) -> int:
        """When the newest record was appended. In transactions, the end is behind a marker: some offsets before it."""
        reader = consumer(self._settings, "benchmark-look")
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

    def anew(self, topic: str, group: str) -> None:
        """Make ``topic`` anew, empty, as ``transactions`` is one, and drop what ``group`` has committed of it."""
        for future in self._admin.delete_topics([topic], operation_timeout=_CALL_S).values():
            with suppress(KafkaException):  # it is not there yet
                future.result()
        while topic in self._admin.list_topics(timeout=_CALL_S).topics:
            time.sleep(_EVERY_S)
        for gone in self._admin.delete_consumer_groups([group], request_timeout=_CALL_S).values():
            with suppress(KafkaException):
                gone.result()
        create(self._settings, topic)
