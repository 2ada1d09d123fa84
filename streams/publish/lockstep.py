"""Lockstep: wait until every consumer group has caught up, so that a fast replay gives the answers a slow one would.

What "caught up" means, and why one look is enough: committed offsets are read first, the ends of the partitions second. Nobody
publishes meanwhile, and a processor's output is in the log before its input's offset is committed (one transaction), so when
every committed offset has reached an end that was read *later*, nothing is in flight anywhere in the loop. The end is the high
watermark, transactions that are still open included.

Commit markers take offsets that no record stands for (docs/decisions.md, "A shell commits the partition's end"). Our shell
commits past them; where a group does not (Faust), the rest of the partition is read, and counts as caught up when there is no
record in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, TopicPartition

from features.base.settings import Settings
from streams.kafka.clients import consumer
from streams.kafka.committed import Committed
from streams.kafka.end_offsets import Ends
from streams.kafka.records import Partition

#: Returns what it waits for, in words, or None when there is nothing to wait for.
Probe = Callable[[], str | None]

FIRST_NAP_S = 0.004
LONGEST_NAP_S = 0.1
#: A partition's rest is read only after the lag has stood still for this long: mostly the shell's own commit comes first.
STILL_S = 0.4
REQUEST_S = 10.0


class LockstepError(RuntimeError):
    """The loop did not catch up; the message names who lags, where, and by how many records."""


@dataclass(frozen=True)
class Lag:
    """A group that has not caught up with a partition: ``committed`` is its next offset, ``end`` the partition's."""

    group: str
    topic: str
    partition: int
    committed: int
    end: int

    def __str__(self) -> str:
        behind = self.end - self.committed
        return f"{self.group} lags on {self.topic}[{self.partition}] by {behind} (at {self.committed} of {self.end})"


def lags(positions: Mapping[str, Mapping[Partition, int]], ends: Mapping[Partition, int]) -> list[Lag]:
    """List who has not reached the end of what, in the order of the groups."""
    return [
        Lag(group, topic, partition, at, ends[topic, partition])
        for group, places in positions.items()
        for (topic, partition), at in places.items()
        if at < ends[topic, partition]
    ]


class Lockstep:
    """Waits for the consumer groups of the loop, and for what ``extra`` probes wait for (a training run, for instance).

    ``groups`` names the input topics of each group, in the order in which records reach them. ``timeout_s`` counts from the last
    progress that was seen, not from the start. Raises LockstepError from ``wait`` when it has passed. Keeps a connection per
    group until ``close``; a ``with`` block closes it.
    """

    def __init__(
        self,
        settings: Settings,
        groups: Mapping[str, tuple[str, ...]],
        extra: Sequence[Probe] = (),
        timeout_s: float = 300.0,
    ) -> None:
        self._settings = settings
        self._groups = dict(groups)
        self._extra = tuple(extra)
        self._timeout_s = timeout_s
        # What goes wrong is raised; librdkafka's own log lines would only say it again.
        self._log_ends = Ends(settings, REQUEST_S, log_level=2)
        self._committed = Committed(settings)
        self._partitions: dict[str, list[Partition]] = {}
        #: (topic, partition, from, to) that were read and hold commit markers only.
        self._empty: set[tuple[str, int, int, int]] = set()

    def __enter__(self) -> Lockstep:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the broker."""
        self._committed.close()

    def wait(self) -> None:
        """Return once every group has caught up and no probe waits. Raises LockstepError, KafkaException."""
        nap = FIRST_NAP_S
        progress_at = time.monotonic()
        before: object = None
        while True:
            waiting = self.waiting_for()
            if not waiting:
                return
            clock_s = time.monotonic()
            if waiting != before:
                before, progress_at, nap = waiting, clock_s, FIRST_NAP_S
            elif clock_s - progress_at > self._timeout_s:
                shown = "; ".join(map(str, waiting[:5])) + (f"; and {len(waiting) - 5} more" if len(waiting) > 5 else "")
                raise LockstepError(
                    f"no progress for {self._timeout_s:.0f} s: {shown}. See driftloop status, and driftloop logs of the first one"
                )
            elif clock_s - progress_at > STILL_S:
                self._read_rests(waiting)
            time.sleep(nap)
            nap = min(nap * 1.5, LONGEST_NAP_S)

    def waiting_for(self) -> list[Lag | str]:
        """Look once at the loop; return an empty list when nothing is in flight."""
        # Probes first: what a finished run has published must be in the ends that are read below.
        reasons = self._reasons()
        positions = self._positions()
        behind: list[Lag | str] = [lag for lag in lags(positions, self._ends()) if self._span(lag) not in self._empty]
        if not behind and not reasons:
            # And once more: a run that began after the first look was asked for by what lies before those ends.
            reasons = self._reasons()
        return [*behind, *reasons]

    def _reasons(self) -> list[str]:
        return [reason for probe in self._extra if (reason := probe()) is not None]

    def _positions(self) -> dict[str, dict[Partition, int]]:
        wanted = {group: [place for name in names for place in self._of_topic(name)] for group, names in self._groups.items()}
        committed = self._committed.read(wanted, REQUEST_S)
        # A group that has not committed is at the beginning.
        return {
            group: {place: max(committed[group][place].offset, 0) if place in committed[group] else 0 for place in places}
            for group, places in wanted.items()
        }

    def _ends(self) -> dict[Partition, int]:
        names = {name for wanted in self._groups.values() for name in wanted}
        return self._log_ends.read(place for name in names for place in self._of_topic(name))

    def _of_topic(self, name: str) -> list[Partition]:
        if name not in self._partitions:
            topic = self._log_ends.admin.list_topics(timeout=REQUEST_S).topics.get(name)
            if topic is None or not topic.partitions:
                raise LockstepError(f"there is no topic {name} at {self._settings.bootstrap}; run driftloop up first")
            self._partitions[name] = [(name, partition) for partition in sorted(topic.partitions)]
        return self._partitions[name]

    @staticmethod
    def _span(lag: Lag) -> tuple[str, int, int, int]:
        return lag.topic, lag.partition, lag.committed, lag.end

    def _read_rests(self, waiting: Sequence[Lag | str]) -> None:
        """Read what lies before each end; remember the rests that hold no record."""
        spans = {self._span(lag) for lag in waiting if isinstance(lag, Lag)} - self._empty
        if not spans:
            return
        reader = consumer(self._settings, "driftloop-lockstep", log_level=2)
        try:
            for span in spans:
                if _holds_nothing(reader, *span):
                    self._empty.add(span)
        finally:
            reader.close()


def _holds_nothing(reader: Consumer, topic: str, partition: int, first: int, end: int) -> bool:
    """Tell whether [first, end) of the partition holds commit markers and aborted records only."""
    reader.assign([TopicPartition(topic, partition, first)])
    try:
        message = reader.poll(2.0)
        if message is None:
            return False
        error = message.error()
        return error is not None and error.code() == KafkaError._PARTITION_EOF and message.offset() >= end
    finally:
        reader.unassign()
