"""The ends of partitions, asked for again and again.

An admin client keeps the leader epochs that it saw first: a broker that was killed and came back refuses them
(FENCED_LEADER_EPOCH), now and ever after. So a refusal is asked about once more, by a new client.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from features.base.settings import Settings
from streams.kafka import clients
from streams.kafka.records import Partition


class Ends:
    """Ends of the log: open transactions and commit markers count. ``extra``: settings of the client."""

    def __init__(self, settings: Settings, timeout_s: float, **extra: Any) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._extra = extra
        self.admin: AdminClient = clients.admin(settings, **extra)

    def read(self, places: Iterable[Partition], stable: bool = False) -> dict[Partition, int]:
        """By (topic, partition), as they are now. ``stable``: the last stable offsets instead, where the first transaction that
        is open begins. Raises KafkaException."""
        wanted = list(places)
        level = IsolationLevel.READ_COMMITTED if stable else IsolationLevel.READ_UNCOMMITTED
        try:
            return self._ask(wanted, level)
        except KafkaException:
            self.admin = clients.admin(self._settings, **self._extra)
            return self._ask(wanted, level)

    def _ask(self, places: list[Partition], level: IsolationLevel) -> dict[Partition, int]:
        asked = {TopicPartition(*place): OffsetSpec.latest() for place in places}
        answers = self.admin.list_offsets(asked, isolation_level=level, request_timeout=self._timeout_s)
        return {(place.topic, place.partition): int(answer.result().offset) for place, answer in answers.items()}
