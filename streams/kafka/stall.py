"""Partitions that have records and hand out none: a consumer whose fetching has stopped says nothing of it.

A safeguard against what is not known: the one case that was seen was a mistake of ours, a partition that came back paused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.kafka.records import Partition

#: A quiet partition is asked for its end this often.
LOOK_S = 10.0
#: With records beyond its position, and none handed out for so long, it is stalled.
STALLED_S = 30.0
_ANSWER_S = 2.0


class Stalled(RuntimeError):
    """The consumer does not read a partition any more; only a new one will."""


class StallWatch:
    """Looks, between batches, at partitions that are quiet. ``clock`` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_look = clock() + LOOK_S
        #: By partition: its position when it was first seen with records beyond it, and when that was.
        self._behind: dict[Partition, tuple[int, float]] = {}

    def forgive(self) -> None:
        """Forget what was seen so far: it says nothing, as the partitions were paused."""
        self._behind.clear()

    def look(self, source: Consumer, positions: Mapping[Partition, int], busy: bool = False) -> None:
        """Look for a partition that stands still. ``positions``: by partition in hand, up to where it is read. ``busy``: the
        consumer had as many records as were asked for, so that a partition's may wait behind others' in its queue. Raises
        Stalled."""
        clock_s = self._clock()
        if busy:
            self._behind.clear()
        if clock_s < self._next_look:
            return
        self._next_look = clock_s + LOOK_S
        for partition, position in positions.items():
            try:
                first, end = source.get_watermark_offsets(TopicPartition(*partition), _ANSWER_S)
            except KafkaException:
                continue  # the broker is away: that is no stall
            if end <= max(position, first):
                self._behind.pop(partition, None)
                continue
            seen, since = self._behind.setdefault(partition, (position, clock_s))
            if seen != position:
                self._behind[partition] = (position, clock_s)
            elif clock_s - since >= STALLED_S:
                raise Stalled(f"{partition[0]}[{partition[1]}] has records up to {end}, and none came from {position} on")
