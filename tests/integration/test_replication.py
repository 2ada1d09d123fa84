"""How many copies of a topic the broker is asked for, and topics that have fewer than the settings say."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, ResourceType

from features.base.sections import Topics as Copies
from features.base.settings import Settings, SettingsError
from infra.platform import provision
from infra.platform.status import status
from streams.kafka.create_topics import create, less_safe
from streams.topics import Topic, all_topics
from tests.integration.counting import wait_for

pytestmark = pytest.mark.integration


def elsewhere(platform: Settings, copies: int | None = None, least: int | None = None) -> Settings:
    """The platform's broker as one that is not its own."""
    topics = Copies(replication_factor=copies, min_insync_replicas=least)
    return platform.model_copy(update={"bootstrap_servers": platform.bootstrap, "topics": topics})


def min_insync(platform: Settings, topic: str) -> tuple[str, bool]:
    """Its min.insync.replicas at the broker, and whether that was set for this topic."""
    asked, resource = AdminClient({"bootstrap.servers": platform.bootstrap}), ConfigResource(ResourceType.TOPIC, topic)
    # A topic that has just been made is not described yet.
    wait_for(lambda: asked.describe_configs([resource])[resource].exception(30) is None)
    entry = asked.describe_configs([resource])[resource].result(30)["min.insync.replicas"]
    return entry.value, entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value


def test_a_cluster_elsewhere_is_asked_for_three_copies(platform: Settings) -> None:
    name = f"copies-{uuid.uuid4().hex[:8]}"
    # One node cannot keep them: its refusal is the proof that it was asked.
    with pytest.raises(
        SettingsError,
        match=rf"cannot keep 3 copies of topic {name} \(.*replicate the partition 3 time.*\); set topics\.replication_factor to",
    ):
        create(elsewhere(platform), [Topic(name, 1)])
    with pytest.raises(SettingsError, match=rf"cannot keep 2 copies of topic {name}"):
        create(elsewhere(platform, copies=2), [Topic(name, 1)])
    assert create(elsewhere(platform, copies=1), [Topic(name, 1)]) == [name]
    assert min_insync(platform, name) == ("1", True)


def test_our_own_broker_decides_for_itself(platform: Settings) -> None:
    name = f"own-{uuid.uuid4().hex[:8]}"
    assert create(platform, [Topic(name, 1)]) == [name]
    assert min_insync(platform, name) == ("1", False)
    assert less_safe(platform, [Topic(name, 1)]) == []


def test_topics_with_fewer_copies_than_the_settings_say_are_named(platform: Settings) -> None:
    name = f"few-{uuid.uuid4().hex[:8]}"
    create(platform, [Topic(name, 1)])
    min_insync(platform, name)
    assert less_safe(elsewhere(platform, copies=3), [Topic(name, 1), Topic("no-such-topic", 1)]) == [
        f"topic {name} keeps 1 of the 3 copies of topics.replication_factor; kafka-reassign-partitions adds some",
        f"topic {name} counts a record as written with 1 copies, less than the 2 of topics.min_insync_replicas;"
        " kafka-configs changes its min.insync.replicas",
    ]
    (only,) = less_safe(elsewhere(platform, copies=3, least=1), [Topic(name, 1)])
    assert only.startswith(f"topic {name} keeps 1 of the 3")


def test_status_names_them_and_faust_s_topics_too(platform: Settings) -> None:
    lines = status(elsewhere(platform))["less_safe_topics"]
    assert lines is not None
    every = {topic.name for topic in all_topics(1)} | {"control-runs-changelog"}
    assert {line.split()[1] for line in lines} == every
    assert len(lines) == 2 * len(every)
    assert status(platform)["less_safe_topics"] == []
    assert len(provision.less_safe_topics(elsewhere(platform))) == 2 * len(every)
