"""How far each consumer group is behind, from the outside: end of the topic less the group's committed offset."""

from __future__ import annotations

import logging
import time

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from features.base.broker_names import PREFIX
from features.base.settings import Settings
from streams.kafka import clients
from streams.kafka.committed import AGAIN_S, NOT_YET, Committed
from streams.kafka.records import Partition

_quiet = logging.getLogger("driftloop.lag")
_quiet.disabled = True


def group_lags(settings: Settings, timeout_s: float = 5.0) -> dict[str, dict[str, int]]:
    """Return the offsets between what each group has committed and the end of what it reads, by group and topic.

    Groups that have committed nothing are left out. Commit markers take offsets too: 0 only where the consumer commits the
    offset of the partition's end, as ours do. Raises KafkaException where the broker does not answer.
    """
    admin = clients.admin(settings, _quiet)
    groups = _groups(admin, timeout_s)
    topics = admin.list_topics(timeout=timeout_s).topics.values()
    # The broker's own topics, such as __consumer_offsets, are nobody's input.
    places = [(topic.topic, number) for topic in topics if not topic.topic.startswith("__") for number in topic.partitions]
    with Committed(settings) as committed:
        positions = committed.read(dict.fromkeys(groups, places), timeout_s)
    ends = _ends(admin, {place for commits in positions.values() for place in commits}, timeout_s)
    by_group = {group: {place: commit.offset for place, commit in commits.items()} for group, commits in positions.items()}
    return {group: _by_topic(offsets, ends) for group, offsets in by_group.items() if offsets}


def _groups(admin: AdminClient, timeout_s: float) -> list[str]:
    deadline = time.monotonic() + timeout_s
    while True:
        answer = admin.list_consumer_groups(request_timeout=timeout_s).result()
        if not answer.errors:
            # Of several platforms at a broker each has its prefix.
            return sorted(group.group_id for group in answer.valid if group.group_id.startswith(PREFIX))
        # A part of the groups would look like all of them.
        error = answer.errors[0]
        if error.code() not in NOT_YET or time.monotonic() + AGAIN_S > deadline:
            raise KafkaException(error)
        time.sleep(AGAIN_S)


def _ends(admin: AdminClient, places: set[Partition], timeout_s: float) -> dict[Partition, int]:
    if not places:
        return {}
    asked = {TopicPartition(*place): OffsetSpec.latest() for place in sorted(places)}
    answers = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=timeout_s)
    return {(place.topic, place.partition): answer.result().offset for place, answer in answers.items()}


def _by_topic(offsets: dict[Partition, int], ends: dict[Partition, int]) -> dict[str, int]:
    lags: dict[str, int] = {}
    for (topic, partition), offset in sorted(offsets.items()):
        lags[topic] = lags.get(topic, 0) + max(0, ends[topic, partition] - offset)
    return lags
