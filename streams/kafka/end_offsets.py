"""The ends of partitions, asked for again and again.

An admin client keeps the leader epochs that it saw first: a broker that was killed and came back refuses them
(FENCED_LEADER_EPOCH), now and ever after. So a refusal is asked about once more, by a new client. While the broker is taking its
partitions up again it may refuse that one, too (UNKNOWN_LEADER_EPOCH): for as long as one answer may take, it is asked again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from features.base.settings import Settings
from streams.kafka import clients
from streams.kafka.records import Partition

#: What a broker says that leads a partition not yet, or again since a moment.
PASSING = frozenset(
    {
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
    }
)
NAP_S = 0.1


class Ends:
    """Ends of the log: open transactions and commit markers count. ``extra``: settings of the client."""

    def __init__(self, settings: Settings, timeout_s: float, **extra: Any) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._extra = extra
        self.admin: AdminClient = clients.admin(settings, **extra)

    def read(self, places: Iterable[Partition], stable: bool = False) -> dict[Partition, int]:
        """Read the ends by (topic, partition), as they are now. ``stable``: the last stable offsets instead, where the first
        transaction that is open begins. Raises KafkaException."""
        wanted = list(places)
        level = IsolationLevel.READ_COMMITTED if stable else IsolationLevel.READ_UNCOMMITTED
        try:
            return self._ask(wanted, level)
        except KafkaException:
            return self._ask_anew(wanted, level)

    def _ask_anew(self, wanted: list[Partition], level: IsolationLevel) -> dict[Partition, int]:
        until = time.monotonic() + self._timeout_s
        while True:
            self.admin = clients.admin(self._settings, **self._extra)
            try:
                return self._ask(wanted, level)
            except KafkaException as error:
                if error.args[0].code() not in PASSING or time.monotonic() > until:
                    raise
                time.sleep(NAP_S)

    def _ask(self, places: list[Partition], level: IsolationLevel) -> dict[Partition, int]:
        asked = {TopicPartition(*place): OffsetSpec.latest() for place in places}
        answers = self.admin.list_offsets(asked, isolation_level=level, request_timeout=self._timeout_s)
        return {(place.topic, place.partition): int(answer.result().offset) for place, answer in answers.items()}
