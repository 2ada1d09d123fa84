"""The topics: names, partitions and retention. Created by ``driftloop up``, never by a client's first use."""

from __future__ import annotations

from dataclasses import dataclass, field

from confluent_kafka import KafkaException
from confluent_kafka.admin import NewTopic

from features.settings import Settings, SettingsError

TRANSACTIONS = "transactions"
SCORES = "scores"
ALERTS = "alerts"
LABELS = "labels"
OUTCOMES = "outcomes"
DRIFT_REPORTS = "drift-reports"
RETRAIN_REQUESTS = "retrain-requests"
MODEL_EVENTS = "model-events"
DLQ = "dlq"
DLQ_HANDLED = "dlq-handled"

#: What the broker takes as one record of ``dlq``; of the other topics, 1 MiB.
DLQ_MAX_BYTES = 4 * 1024 * 1024

#: Topics whose records are keyed by card or terminal and spread over ``settings.partitions``; the others have one.
SPREAD = frozenset({TRANSACTIONS, SCORES, ALERTS, LABELS, OUTCOMES})


@dataclass(frozen=True)
class Topic:
    """One topic and its settings at the broker."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


def all_topics(settings: Settings) -> list[Topic]:
    """Every topic of the loop. Retention is by size and time of arrival at the broker, not by event time:
    a replay of an old month must not be deleted as it is written."""
    keep = {"message.timestamp.type": "LogAppendTime", "retention.ms": str(365 * 86_400_000)}
    one = (DRIFT_REPORTS, RETRAIN_REQUESTS, MODEL_EVENTS, DLQ, DLQ_HANDLED)
    names = (TRANSACTIONS, SCORES, ALERTS, LABELS, OUTCOMES, *one)
    own = {DLQ: {"max.message.bytes": str(DLQ_MAX_BYTES)}}
    return [Topic(name, settings.partitions if name in SPREAD else 1, keep | own.get(name, {})) for name in names]


def create(settings: Settings, topics: list[Topic], timeout_s: float = 30.0) -> list[str]:
    """Create the topics that are missing; return their names. Raises KafkaException where the broker refuses, SettingsError where
    one that is there has other partitions."""
    from streams.kafka import admin

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
