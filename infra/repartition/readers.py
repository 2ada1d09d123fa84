"""Consumer groups of the spread topics: nobody may read while they are switched, and each goes on behind what it has read."""

from __future__ import annotations

import time

from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from features.base.settings import Settings
from infra.errors import PlatformError
from infra.platform.repartition_journal import Journal, Position
from infra.repartition.copying import SPREAD
from streams.engine import commit_metadata
from streams.engine.commit_metadata import Note
from streams.kafka import clients
from streams.kafka.committed import Committed
from streams.publish.groups import GROUPS
from streams.publish.lockstep import Lockstep, LockstepError

_REQUEST_S = 15.0
#: How long members may take to leave, or to be forgotten where they were killed (``session.timeout.ms`` is ten seconds).
_LEAVING_S = 20.0
_STILL_S = 2.0
_LEFT = frozenset({ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD})


def ours() -> dict[str, tuple[str, ...]]:
    """Return our groups that read spread topics, and which."""
    wanted = {group: tuple(name for name in names if name in SPREAD) for group, names in GROUPS.items()}
    return {group: names for group, names in wanted.items() if names}


def others(settings: Settings, admin: AdminClient, partitions: int) -> dict[str, dict[str, Position]]:
    """Return the groups that are not ours and have committed offsets of spread topics; whether each has read all."""
    listed = admin.list_consumer_groups(request_timeout=_REQUEST_S).result().valid
    groups = sorted({group.group_id for group in listed} - set(GROUPS))
    places = [(topic, p) for topic in SPREAD for p in range(partitions)]
    with Committed(settings) as committed:
        by_group = committed.read(dict.fromkeys(groups, places), _REQUEST_S)
    reads = {group: sorted({topic for topic, _ in commits}) for group, commits in by_group.items() if commits}
    return {group: {topic: _position(settings, group, topic) for topic in names} for group, names in reads.items()}


def _position(settings: Settings, group: str, topic: str) -> Position:
    try:
        with Lockstep(settings, {group: (topic,)}, timeout_s=_STILL_S) as lockstep:
            lockstep.wait()
    except LockstepError:
        return "begin"
    return "end"


def noted(settings: Settings, partitions: int) -> dict[str, dict[int, Note]]:
    """Return what our groups keep beside their offsets, by topic and partition: what an earlier repartition copied, and by what
    the log was processed."""
    places = {group: [(topic, p) for topic in names for p in range(partitions)] for group, names in ours().items()}
    with Committed(settings) as committed:
        by_group = committed.read(places, _REQUEST_S)
    made: dict[str, dict[int, Note]] = {topic: {} for topic in SPREAD}
    for commits in by_group.values():
        for (topic, partition), entry in commits.items():
            note, other = commit_metadata.read(entry.metadata), made[topic].get(partition, Note())
            made[topic][partition] = Note(max(note.copied, other.copied), note.limits or other.limits)
    return made


def wait_until_left(admin: AdminClient, groups: list[str]) -> None:
    """Wait until the groups have no members. Raises PlatformError where one still has some after a while."""
    deadline = time.monotonic() + _LEAVING_S
    while remaining := _with_members(admin, groups):
        if time.monotonic() > deadline:
            raise PlatformError(
                f"{', '.join(remaining)} still read the topics, from processes that this platform did not start; stop them first"
            )
        time.sleep(0.2)


def _with_members(admin: AdminClient, groups: list[str]) -> list[str]:
    active = []
    for group, future in admin.describe_consumer_groups(groups, request_timeout=_REQUEST_S).items() if groups else ():
        try:
            described = future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                raise
            continue
        if described.state not in _LEFT or described.members:
            active.append(group)
    return active


def commit(settings: Settings, journal: Journal) -> None:
    """Let every group go on behind the copied records; one that had not read all, from the beginning. Raises KafkaException."""
    wanted: dict[str, dict[tuple[str, int], int]] = {}
    for group, names in ours().items():
        wanted[group] = {(name, p): n for name in names for p, n in journal.topics[name].counts.items()}
    for group, positions in journal.readers.items():
        wanted[group] = {
            (name, p): n if position == "end" else 0
            for name, position in positions.items()
            for p, n in journal.topics[name].counts.items()
        }
    for group, places in wanted.items():
        member = clients.consumer(settings, group, log_level=2)
        try:
            offsets = [
                TopicPartition(*place, offset, Note(journal.topics[place[0]].counts[place[1]]).text())
                for place, offset in places.items()
            ]
            done = member.commit(offsets=offsets, asynchronous=False)
        finally:
            member.close()
        for tp in done or ():
            if tp.error is not None:
                raise KafkaException(tp.error)
    with Committed(settings) as committed:
        by_group = committed.read({group: list(places) for group, places in wanted.items()}, _REQUEST_S)
    if any(by_group[group][place].offset != offset for group, places in wanted.items() for place, offset in places.items()):
        raise KafkaException(KafkaError(KafkaError._FAIL, "the committed offsets are not what was written"))
