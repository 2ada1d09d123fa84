"""Phase ``switching``: a topic is removed, made anew with the new number of partitions, and filled from its copy.

Who publishes meanwhile is kept out, or loses nothing::

    original    closed to producers -> what came since it was copied goes behind the copy -> removed
    new one     a record that a producer got in before the copy was complete is put behind the copy, and all is done again
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from features.base.settings import Settings
from infra.errors import PlatformError
from infra.platform.repartition_journal import Journal, TopicPlan
from infra.repartition import broker
from infra.repartition.copying import Target, temporary
from infra.repartition.logs import HELD, Reader, Writer
from streams.kafka.records import Record
from streams.wire import wire as registered

_MOST_ROUNDS = 5


class Interrupted(PlatformError):
    """It could not be finished now. Nothing is lost, and the same command goes on: exit code 1."""

    exit_code = 1


def switch(settings: Settings, admin: AdminClient, journal: Journal, topic: str) -> int:
    """Return how many records the topic has now that were not copied, for they came meanwhile. Raises KafkaException."""
    plan = journal.topics[topic]
    for _ in range(_MOST_ROUNDS):
        _rescue(settings, admin, journal, topic, plan)
        broker.drop(admin, topic)
        try:
            broker.make(settings, admin, topic, journal.partitions, plan.replicas, plan.config)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            continue
        if _fill(settings, topic, plan):
            held = broker.ends(settings, topic, plan.counts)
            return sum(held.values()) - sum(plan.counts.values())
    raise Interrupted(f"producers publish to {topic} while it is filled; stop them, and run the same command again")


def _rescue(settings: Settings, admin: AdminClient, journal: Journal, topic: str, plan: TopicPlan) -> None:
    """Put what is in the topic and not in the copy behind the copy."""
    partitions = broker.partitions(admin, (topic,)).get(topic, {})
    if not partitions:
        return
    broker.close(admin, topic)
    original = len(partitions) == journal.before
    target = Target(journal.partitioner, journal.partitions, registered.of(settings))
    with Reader(settings, HELD // 10) as reader, Reader(settings, HELD // 10) as other, Writer(settings) as writer:
        copies = {} if original else broker.ends(settings, temporary(topic), plan.counts)
        for partition, (begin, end) in broker.bounds(settings, topic, partitions).items():
            first = max(begin, plan.ends.get(partition, 0)) if original else begin
            records = chain.from_iterable(reader.pieces(topic, partition, first, end))
            put = chain.from_iterable(other.pieces(temporary(topic), partition, 0, copies.get(partition, 0)))
            for record in foreign(records, put):
                # A second time after a kill: the scorer drops it as repeated, the joiner as known.
                writer.put(temporary(topic), target(record), record, record.headers)
        writer.flush()


def foreign(records: Iterable[Record], put: Iterator[Record]) -> Iterator[Record]:
    """Yield those of ``records`` that are not what was ``put`` there in this order. By content: a producer may set any header."""
    expected = next(put, None)
    for record in records:
        if expected is not None and _content(record) == _content(expected):
            expected = next(put, None)
        else:
            yield record


def _content(record: Record) -> tuple[object, ...]:
    return record.key, record.value, record.headers


def _fill(settings: Settings, topic: str, plan: TopicPlan) -> bool:
    """Fill the topic partition by partition from the copy. False: somebody else's record is among them."""
    whole = True
    with Reader(settings, HELD // 10) as reader, Writer(settings) as writer:
        for partition, end in broker.ends(settings, temporary(topic), plan.counts).items():
            for records in reader.pieces(temporary(topic), partition, 0, end):
                for record in records:
                    writer.put(topic, partition, record, record.headers)
            writer.flush()
            whole &= writer.newest.get((topic, partition), -1) == end - 1
    return whole
