"""What of Kafka the driver leans on: who sees which record, at which offset, and who may still commit."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.kafka.committed import Commit
from streams.kafka.in_memory.cluster import Cluster
from streams.kafka.in_memory.consumer import Consumer, Message
from streams.kafka.in_memory.producer import Producer
from streams.kafka.records import Record

PLACE = ("t", 0)


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster(lambda: 1000)
    made.create({"t": 2})
    return made


def reader(cluster: Cluster, *, cooperative: bool = True) -> Consumer:
    made = Consumer(cluster, "g", lambda source, wanted: wanted, cooperative=cooperative)
    made.assign([TopicPartition("t", 0, 0)])
    return made


def writer(cluster: Cluster, name: str = "w") -> Producer:
    made = Producer(cluster, name)
    made.init_transactions()
    return made


def values(messages: list[Message]) -> list[tuple[int, bytes | None]]:
    return [(message.offset(), message.value()) for message in messages if message.error() is None]


def ends(messages: list[Message]) -> list[int]:
    answers = [(message.offset(), message.error()) for message in messages]
    return [offset for offset, error in answers if error is not None and error.code() == KafkaError._PARTITION_EOF]


def test_committed_readers_see_neither_what_is_open_nor_what_was_aborted(cluster: Cluster) -> None:
    source, producer = reader(cluster), writer(cluster)
    producer.begin_transaction()
    producer.produce("t", b"a", None, 0)
    cluster.publish([Record("t", 0, 0, None, b"plain")])
    messages = source.consume(10)
    assert (values(messages), ends(messages)) == ([], [0]), "an open transaction holds back whatever lies behind it"
    producer.abort_transaction()
    producer.begin_transaction()
    producer.produce("t", b"b", None, 0)
    producer.commit_transaction()
    messages = source.consume(10)
    # 0 was aborted, 2 and 4 are markers.
    assert (values(messages), ends(messages)) == ([(1, b"plain"), (3, b"b")], [5])
    assert source.consume(10) == []
    assert source.get_watermark_offsets(TopicPartition(*PLACE)) == (0, 5)


def test_offsets_are_committed_with_the_records_or_not_at_all(cluster: Cluster) -> None:
    producer = writer(cluster)
    for end, committed in ((producer.abort_transaction, None), (producer.commit_transaction, Commit(7, "note"))):
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition("t", 0, 7, "note")], "g")
        end()
        assert cluster.committed("g", PLACE) == committed


def test_who_takes_over_an_id_ends_what_its_predecessor_left_open_and_fences_it(cluster: Cluster) -> None:
    older = writer(cluster)
    older.begin_transaction()
    older.produce("t", b"left open", None, 0)
    writer(cluster)
    assert cluster.read("t") == []
    assert cluster.log(PLACE).stable == 2
    with pytest.raises(KafkaException) as error:
        older.commit_transaction()
    assert error.value.args[0].fatal()


def test_a_reader_whose_log_is_cut_beneath_it_is_told_and_reads_on_only_when_it_is_assigned_anew(cluster: Cluster) -> None:
    source = reader(cluster)
    cluster.publish([Record("t", 0, 0, None, b"%d" % i) for i in range(5)])
    assert values(source.consume(1)) == [(0, b"0")]
    cluster.log(PLACE).trim(3)
    (message,) = source.consume(10)
    error = message.error()
    assert error is not None
    assert error.code() == KafkaError._AUTO_OFFSET_RESET
    assert source.consume(10) == []
    with pytest.raises(KafkaException):
        source.seek(TopicPartition("t", 0, 3))
    source.incremental_unassign([TopicPartition("t", 0)])
    source.incremental_assign([TopicPartition("t", 0, 3)])
    assert values(source.consume(10)) == [(3, b"3"), (4, b"4")]


def test_a_pause_outlives_the_assignment(cluster: Cluster) -> None:
    source = reader(cluster)
    cluster.publish([Record("t", 0, 0, None, b"a")])
    source.pause([TopicPartition("t", 0)])
    source.assign([TopicPartition("t", 0, 0)])
    assert source.consume(10) == []
    source.resume([TopicPartition("t", 0)])
    assert values(source.consume(10)) == [(0, b"a")]


@pytest.mark.parametrize(("cooperative", "calls"), [(True, ["- 1"]), (False, ["- 0 1", "+ 0"])])
def test_a_rebalance_moves_one_partition_or_all_of_them(cluster: Cluster, cooperative: bool, calls: list[str]) -> None:
    source = Consumer(cluster, "g", lambda source, wanted: 0, cooperative=cooperative)
    heard: list[str] = []

    def hear(sign: str, partitions: list[TopicPartition]) -> None:
        heard.append(" ".join([sign, *(str(tp.partition) for tp in partitions)]))

    def assigned(made: Consumer, partitions: list[TopicPartition]) -> None:
        hear("+", partitions)
        made.incremental_assign([TopicPartition(tp.topic, tp.partition, 0) for tp in partitions])

    def revoked(made: Consumer, partitions: list[TopicPartition]) -> None:
        hear("-", partitions)
        made.incremental_unassign(partitions)

    source.subscribe(["t"], assigned, revoked, revoked)
    source.give([("t", 0), ("t", 1)])
    assert heard.pop() == "+ 0 1"
    source.take([("t", 1)])
    assert heard == calls
    assert source.assigned == [("t", 0)]


def test_a_key_lies_where_our_producers_put_it(cluster: Cluster) -> None:
    cluster.create({"wide": 7})
    producer = writer(cluster)
    producer.begin_transaction()
    for key in (b"card-1", b"card-2", b"card-3"):
        producer.produce("wide", b"v", key)
    producer.commit_transaction()
    # As Java's clients: murmur2(key) & 0x7fffffff mod 7.
    assert {record.key: record.partition for record in cluster.read("wide")} == {b"card-1": 2, b"card-2": 2, b"card-3": 4}
