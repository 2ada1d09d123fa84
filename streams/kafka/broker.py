"""Where the shell gets its clients from: Kafka, or an in-memory broker where a core is tried without one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from confluent_kafka import Consumer, Producer

from features.base.settings import Settings
from streams.kafka import clients, stuck_client
from streams.kafka.open_transactions import HeldBack
from streams.kafka.records import Partition


class Broker(Protocol):
    """Makes the clients of one processor; what they raise is KafkaException."""

    def consumer(self, settings: Settings, group: str, **extra: str | int | bool) -> Consumer:
        """Make a consumer (``streams.kafka.clients.consumer``)."""
        ...

    def producer(self, settings: Settings, transactional_id: str) -> Producer:
        """Make a producer (``streams.kafka.clients.producer``)."""
        ...

    def held_back(self, settings: Settings, topics: Iterable[str]) -> Callable[[], list[Partition]]:
        """Return what looks for partitions that are held back (``streams.kafka.open_transactions``)."""
        ...

    def gets_through(self, settings: Settings, group: str, topic: str) -> bool:
        """Tell whether a new client gets through (``streams.kafka.stuck_client``)."""
        ...


class Kafka:
    """The broker that the settings name."""

    def consumer(self, settings: Settings, group: str, **extra: str | int | bool) -> Consumer:
        return clients.consumer(settings, group, **extra)

    def producer(self, settings: Settings, transactional_id: str) -> Producer:
        return clients.producer(settings, transactional_id=transactional_id)

    def held_back(self, settings: Settings, topics: Iterable[str]) -> Callable[[], list[Partition]]:
        return HeldBack(settings, topics).read

    def gets_through(self, settings: Settings, group: str, topic: str) -> bool:
        return stuck_client.gets_through(settings, group, topic)


KAFKA = Kafka()
