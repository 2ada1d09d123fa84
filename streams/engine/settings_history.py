"""By which settings each part of a log was processed, so that reading it again decides what was decided then.

A processor's state follows from its log and from a few settings: how long an id is remembered, say. A setting may change while
the log stays. What was refused before must not count as taken when the log is read again, nor what was said as unsaid. So a core
names the settings that decide (``Limited``), and the offsets from which each of their values counted are committed beside the
offsets themselves (``streams.engine.commit_metadata``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from streams.kafka.records import Partition, Record

#: The values of the settings that decide, in the core's own order; in ms, say.
Limits = tuple[int, ...]
#: A commit's metadata has room for so many; of a log with more changes, the first are taken to have been like the next.
MOST = 40


class Since(NamedTuple):
    """From this offset on, these limits count."""

    offset: int
    limits: Limits


History = tuple[Since, ...]


@runtime_checkable
class Limited(Protocol):
    """A core whose state depends on limits. It has them when it is made, and keeps them."""

    @property
    def limits(self) -> Limits: ...

    def decided(self, partition: Partition, history: History) -> None:
        """Take how a partition was processed so far, before its state is brought back. The last entry is of now."""
        ...


class Histories:
    """Keep how each partition was processed so far: what a ``Limited`` core needs when their logs are read again."""

    def __init__(self) -> None:
        self._of: dict[Partition, History] = {}

    def decided(self, partition: Partition, history: History) -> None:
        """Keep the partition's history (see ``Limited``)."""
        self._of[partition] = history

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Drop the history of partitions that went to another member."""
        for partition in partitions:
            self._of.pop(partition, None)

    def parts(self, records: Sequence[Record]) -> Iterator[tuple[list[Record], dict[Partition, Limits]]]:
        """Return the records in parts, each with the limits of its partitions that have a history (``by_limits``)."""
        return by_limits(records, self._of)

    def at(self, record: Record) -> Limits | None:
        """Return the limits that counted for the record; None where its partition has no history."""
        history = self._of.get((record.topic, record.partition))
        return at(history, record.offset) if history else None


def went_on(history: History, offset: int, limits: Limits) -> History:
    """Return the history of a partition that is processed by ``limits`` from ``offset`` on. An empty one is one without
    changes."""
    if not history:
        return (Since(0, limits),)
    kept = tuple(since for since in history if since.offset < offset)
    if kept and kept[-1].limits == limits:
        return kept[-MOST:]
    return (*kept, Since(offset, limits))[-MOST:]


def by_limits(
    records: Sequence[Record], histories: Mapping[Partition, History]
) -> Iterator[tuple[list[Record], dict[Partition, Limits]]]:
    """Yield the records in parts, each with the limits of its partitions; the order within a partition stays. Partitions without
    a history are left out of the limits."""
    if all(len(history) <= 1 for history in histories.values()):
        yield list(records), {place: history[0].limits for place, history in histories.items() if history}
        return
    parts: dict[int, list[Record]] = {}
    for record in records:
        parts.setdefault(_era(histories.get((record.topic, record.partition), ()), record.offset), []).append(record)
    for era in sorted(parts):
        places = {(record.topic, record.partition) for record in parts[era]}
        yield parts[era], {place: histories[place][era].limits for place in places if histories.get(place)}


def at(history: History, offset: int) -> Limits:
    """Return the limits that counted at this offset of a history that is not empty."""
    return history[_era(history, offset)].limits


def _era(history: History, offset: int) -> int:
    return max(0, bisect_right(history, offset, key=lambda since: since.offset) - 1) if len(history) > 1 else 0
