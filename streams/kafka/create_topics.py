"""Create topics at a broker, and refuse ones that are other than the settings say."""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import NewTopic

from features.base.settings import Settings, SettingsError
from streams.kafka.clients import admin
from streams.topics import SPREAD, Topic


def create(settings: Settings, topics: list[Topic], timeout_s: float = 30.0) -> list[str]:
    """Create the topics that are missing; return their names. Raises KafkaException where the broker refuses, SettingsError where
    one that is there has other partitions."""
    asked = admin(settings)
    there = asked.list_topics(timeout=timeout_s).topics
    for topic in topics:
        if topic.name in there and topic.name in SPREAD and len(there[topic.name].partitions) != topic.partitions:
            raise SettingsError(
                f"topic {topic.name} has {len(there[topic.name].partitions)} partitions, and the setting partitions says "
                f"{topic.partitions}: set it to what the topic has; driftloop repartition changes both and moves the histories"
            )
    missing = [t for t in topics if t.name not in there]
    if not missing:
        return []
    new = [NewTopic(t.name, num_partitions=t.partitions, replication_factor=1, config=t.config) for t in missing]
    created = []
    for name, future in asked.create_topics(new, request_timeout=timeout_s).items():
        try:
            future.result()
            created.append(name)
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise
    return created
