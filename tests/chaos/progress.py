"""How far the groups have got, against what there was at a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaException

from features.base.settings import Settings
from streams import topics
from streams.kafka.committed import Committed
from streams.kafka.end_offsets import Ends
from streams.kafka.records import Partition

_ANSWER_S = 3.0


class Progress:
    """Asks the broker, which may be away. For one thread; ``close`` it."""

    def __init__(self, settings: Settings, groups: Mapping[str, tuple[str, ...]]) -> None:
        self._groups = groups
        self._partitions = {topic.name: topic.partitions for topic in topics.all_topics(settings.partitions)}
        self._committed = Committed(settings)
        self._ends = Ends(settings, _ANSWER_S, log_level=2)

    def close(self) -> None:
        self._committed.close()

    def ends(self, groups: Iterable[str]) -> dict[str, dict[Partition, int]] | None:
        """By group: the ends of what it reads. None where the broker is away."""
        places = {
            group: [(topic, p) for topic in self._groups[group] for p in range(self._partitions[topic])] for group in groups
        }
        try:
            ends = self._ends.read({place for partitions in places.values() for place in partitions})
        except KafkaException:
            return None
        return {group: {place: ends[place] for place in partitions} for group, partitions in places.items()}

    def reached(self, goal: Mapping[str, Mapping[Partition, int]]) -> bool:
        """Whether each group has committed so far. False where the broker is away."""
        try:
            commits = self._committed.read(goal, _ANSWER_S)
        except KafkaException:
            return False
        return all(
            end == 0 or (place in commits[group] and commits[group][place].offset >= end)
            for group, ends in goal.items()
            for place, end in ends.items()
        )
