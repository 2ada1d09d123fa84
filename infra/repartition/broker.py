"""Topics at the broker: how they are, making and removing them, and keeping producers out for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from features.base.settings import Settings
from streams.kafka import clients

_REQUEST_S = 30.0
#: A configuration is in force at the broker a moment after it was accepted.
_IN_FORCE_S = 0.5
_GONE = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART})
#: What is answered for a topic that has just been made.
_NOT_YET = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART})
_AGAIN_S = 0.1
_LARGEST = "max.message.bytes"


def partitions(admin: AdminClient, names: tuple[str, ...]) -> dict[str, dict[int, int]]:
    """Return the partitions of those topics that are there, each with its number of replicas."""
    topics = admin.list_topics(timeout=_REQUEST_S).topics
    return {name: {p: len(m.replicas) for p, m in topics[name].partitions.items()} for name in names if name in topics}


def bounds(settings: Settings, topic: str, numbers: Mapping[int, object]) -> dict[int, tuple[int, int]]:
    """Return the first and the next offset of each partition; open transactions included. Waits for partitions that are not led
    yet."""
    deadline = time.monotonic() + _REQUEST_S
    while True:
        try:
            # A new client each time: one that knew the topic before it was made anew asks for its leaders of then.
            return _bounds(clients.admin(settings, log_level=2), topic, numbers)
        except KafkaException as error:
            if error.args[0].code() not in _NOT_YET or time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_S)


def _bounds(admin: AdminClient, topic: str, numbers: Mapping[int, object]) -> dict[int, tuple[int, int]]:
    offsets = []
    for spec in (OffsetSpec.earliest(), OffsetSpec.latest()):
        asked = {TopicPartition(topic, p): spec for p in numbers}
        answers = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=_REQUEST_S)
        offsets.append({tp.partition: int(answer.result().offset) for tp, answer in answers.items()})
    return {p: (offsets[0][p], offsets[1][p]) for p in numbers}


def ends(settings: Settings, topic: str, numbers: Mapping[int, object]) -> dict[int, int]:
    """Return the next offset of each partition."""
    return {p: end for p, (_, end) in bounds(settings, topic, numbers).items()}


def config(admin: AdminClient, topic: str) -> dict[str, str]:
    """Return what was set for this topic, and the largest record that it takes.

    The latter in any case: Kafka 4.4 gives a topic that is made anew the settings of its predecessor back when the broker is
    restarted, all but those that were named when it was made. So whoever closes a topic must name this one.
    """
    resource = ConfigResource(ResourceType.TOPIC, topic)
    entries = admin.describe_configs([resource], request_timeout=_REQUEST_S)[resource].result()
    own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {name: str(entry.value) for name, entry in entries.items() if entry.source == own or name == _LARGEST}


def close(admin: AdminClient, topic: str) -> None:
    """Close the topic to all producers: it takes no record of any size. Whoever tries is told so."""
    entry = ConfigEntry(_LARGEST, "1", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource], request_timeout=_REQUEST_S)[resource].result()
    time.sleep(_IN_FORCE_S)


def make(settings: Settings, admin: AdminClient, topic: str, count: int, replicas: int, own: dict[str, str]) -> None:
    """Create the topic, with configuration of its ``own``; return when the broker serves it."""
    new = NewTopic(topic, num_partitions=count, replication_factor=replicas, config=own)
    admin.create_topics([new], request_timeout=_REQUEST_S)[topic].result()
    _until(lambda: len(partitions(admin, (topic,)).get(topic, {})) == count, f"the new topic {topic}")
    bounds(settings, topic, dict.fromkeys(range(count)))


def drop(admin: AdminClient, *names: str) -> None:
    """Remove the topics; return when they are gone. Those that are not there are gone already."""
    for future in admin.delete_topics(list(names), request_timeout=_REQUEST_S).values():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() not in _GONE:
                raise
    _until(lambda: not partitions(admin, names), f"the end of {', '.join(names)}")


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _REQUEST_S
    while not condition():
        if time.monotonic() > deadline:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{what} was waited for in vain"))
        time.sleep(0.05)
