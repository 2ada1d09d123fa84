"""Partitions whose committed readers are held back: a transaction is open in them, or one was forgotten by the broker.

A broker that is killed can come back with a transaction that a partition holds open and that its coordinator knows nothing of
(docs/chaos.md): nobody ends it, and whoever reads committed records never gets past it.
"""

from __future__ import annotations

from collections.abc import Iterable

from features.base.settings import Settings
from streams.kafka.end_offsets import Ends
from streams.kafka.records import Partition

_CALL_S = 10.0


class HeldBack:
    """Looks at all partitions of ``topics``."""

    def __init__(self, settings: Settings, topics: Iterable[str]) -> None:
        self._settings = settings
        self._topics = tuple(topics)

    def read(self) -> list[Partition]:
        """Return those whose last stable offset is below their end. A topic that is not there has none. Raises KafkaException."""
        ends = Ends(self._settings, _CALL_S, log_level=2)
        existing = ends.admin.list_topics(timeout=_CALL_S).topics
        places = [(name, partition) for name in self._topics if name in existing for partition in existing[name].partitions]
        if not places:
            return []
        stable = ends.read(places, stable=True)
        return [place for place, end in ends.read(places).items() if stable[place] < end]
