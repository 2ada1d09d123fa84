"""How far each consumer group is behind, from the outside: end of the topic less the group's committed offset."""

from __future__ import annotations

import logging

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from features.settings import Settings

_quiet = logging.getLogger("driftloop.lag")
_quiet.disabled = True


def group_lags(settings: Settings, timeout_s: float = 5.0) -> dict[str, dict[str, int]]:
    """Offsets between what each group has committed and the last stable offset, by group and topic.

    Groups that have committed nothing are left out. Commit markers take offsets too: 0 only where the consumer commits the
    offset of the partition's end, as ours do. Raises KafkaException where the broker does not answer.
    """
    admin = AdminClient({**settings.kafka, "bootstrap.servers": settings.bootstrap}, logger=_quiet)
    groups = sorted(group.group_id for group in admin.list_consumer_groups(request_timeout=timeout_s).result().valid)
    committed = {group: _committed(admin, group, timeout_s) for group in groups}
    ends = _ends(admin, {key for offsets in committed.values() for key in offsets}, timeout_s)
    return {group: _by_topic(offsets, ends) for group, offsets in committed.items() if offsets}


def _committed(admin: AdminClient, group: str, timeout_s: float) -> dict[tuple[str, int], int]:
    # The broker takes one group per request.
    answer = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=timeout_s)[group]
    try:
        found = answer.result().topic_partitions
    except KafkaException as error:
        if error.args[0].name() == "GROUP_ID_NOT_FOUND":
            return {}  # it went away since it was listed
        raise
    return {(place.topic, place.partition): place.offset for place in found if place.offset >= 0 and not place.error}


def _ends(admin: AdminClient, places: set[tuple[str, int]], timeout_s: float) -> dict[tuple[str, int], int]:
    if not places:
        return {}
    asked = {TopicPartition(topic, partition): OffsetSpec.latest() for topic, partition in sorted(places)}
    answers = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=timeout_s)
    return {(place.topic, place.partition): answer.result().offset for place, answer in answers.items()}


def _by_topic(offsets: dict[tuple[str, int], int], ends: dict[tuple[str, int], int]) -> dict[str, int]:
    lags: dict[str, int] = {}
    for (topic, partition), offset in sorted(offsets.items()):
        lags[topic] = lags.get(topic, 0) + max(0, ends[topic, partition] - offset)
    return lags
