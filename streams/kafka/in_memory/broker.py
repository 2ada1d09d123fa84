"""The clients of one process in a cluster in memory, in place of ``streams.kafka.broker.Kafka``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import confluent_kafka

from features.base.settings import Settings
from streams.kafka.in_memory.cluster import Cluster
from streams.kafka.in_memory.consumer import Consumer, Pace
from streams.kafka.in_memory.producer import Producer
from streams.kafka.records import Partition


class InMemory:
    """``pace``: see ``streams.kafka.in_memory.consumer``. No transaction ever hangs here, so none holds anybody back for good."""

    def __init__(self, cluster: Cluster, pace: Pace) -> None:
        self._cluster = cluster
        self._pace = pace
        self._made: list[Consumer | Producer] = []

    def die(self) -> None:
        """Kill the process: its clients say nothing any more, and what is open stays open until somebody takes over."""
        for client in self._made:
            client.dead = True

    def consumer(self, settings: Settings, group: str, **extra: str | int | bool) -> confluent_kafka.Consumer:
        made = Consumer(
            self._cluster, group, self._pace, cooperative=extra.get("partition.assignment.strategy") == "cooperative-sticky"
        )
        self._made.append(made)
        return cast(confluent_kafka.Consumer, made)

    def producer(self, settings: Settings, transactional_id: str) -> confluent_kafka.Producer:
        made = Producer(self._cluster, transactional_id)
        self._made.append(made)
        return cast(confluent_kafka.Producer, made)

    def held_back(self, settings: Settings, topics: Iterable[str]) -> Callable[[], list[Partition]]:
        return list

    def gets_through(self, settings: Settings, group: str, topic: str) -> bool:
        return False
