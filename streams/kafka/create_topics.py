"""Create topics at a broker; refuse those that have other partitions than the settings say, and name those with fewer copies."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from features.base.settings import Settings, SettingsError
from streams.kafka.clients import admin
from streams.topics import SPREAD, Topic


def create(settings: Settings, topics: list[Topic], timeout_s: float = 30.0) -> list[str]:
    """Create the topics that are missing; return their names. Raises KafkaException where the broker refuses, SettingsError where
    one that is there has other partitions, or the cluster has fewer brokers than a partition would have copies."""
    asked = admin(settings)
    existing = asked.list_topics(timeout=timeout_s).topics
    for topic in topics:
        if topic.name in existing and topic.name in SPREAD and len(existing[topic.name].partitions) != topic.partitions:
            raise SettingsError(
                f"topic {topic.name} has {len(existing[topic.name].partitions)} partitions, and the setting partitions says "
                f"{topic.partitions}: set it to what the topic has; driftloop repartition changes both and moves the histories"
            )
    missing = [t for t in topics if t.name not in existing]
    if not missing:
        return []
    copies = settings.replication_factor
    new = [NewTopic(t.name, t.partitions, replication_factor=copies, config=_config(settings, t)) for t in missing]
    created = []
    for name, future in asked.create_topics(new, request_timeout=timeout_s).items():
        try:
            future.result()
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.INVALID_REPLICATION_FACTOR:
                raise SettingsError(
                    f"Kafka at {settings.bootstrap} cannot keep {settings.replication_factor} copies of topic {name}"
                    f" ({error.args[0].str()}); set topics.replication_factor to what the cluster can keep"
                ) from error
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    return created


def less_safe(settings: Settings, topics: list[Topic], timeout_s: float = 30.0) -> list[str]:
    """Return the topics that are kept with fewer copies, or written with fewer, than the settings say, a line each.

    Raises KafkaException where the broker does not answer. A line says so where our user may not read the topics' settings.
    """
    copies, least = settings.replication_factor, settings.min_insync_replicas
    if copies == 1:
        return []
    asked = admin(settings)
    existing = asked.list_topics(timeout=timeout_s).topics
    names = [topic.name for topic in topics if topic.name in existing]
    lines = []
    for name in names:
        fewest = min((len(partition.replicas) for partition in existing[name].partitions.values()), default=copies)
        if fewest < copies:
            lines.append(
                f"topic {name} keeps {fewest} of the {copies} copies of topics.replication_factor;"
                " kafka-reassign-partitions adds some"
            )
    try:
        min_insync = _min_insync(asked, names, timeout_s)
    except KafkaException as error:
        if error.args[0].code() not in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED):
            raise
        return [
            *lines,
            f"the topics' min.insync.replicas is not known: the Kafka user {settings.user} has no right DescribeConfigs",
        ]
    return lines + [
        f"topic {name} counts a record as written with {number} copies, less than the {least} of topics.min_insync_replicas;"
        " kafka-configs changes its min.insync.replicas"
        for name, number in min_insync.items()
        if number < least
    ]


def _config(settings: Settings, topic: Topic) -> dict[str, str]:
    """Return a topic's settings at the broker; our own broker's default is what it can do."""
    safe = {"min.insync.replicas": str(settings.min_insync_replicas)} if settings.bootstrap_servers else {}
    return safe | topic.config


def _min_insync(asked: AdminClient, names: list[str], timeout_s: float) -> dict[str, int]:
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    min_insync = {}
    for resource, answer in asked.describe_configs(resources, request_timeout=timeout_s).items():
        try:
            min_insync[resource.name] = int(answer.result()["min.insync.replicas"].value)
        except KafkaException as error:
            # Listed, and not known yet: it has just been made.
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
    return min_insync
