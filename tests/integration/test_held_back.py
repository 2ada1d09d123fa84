"""Transactions that are open, on a real broker: they are seen, and whoever begins a life writes where they are."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer, TopicPartition

from features.base.settings import Settings
from streams.kafka.clients import consumer, producer
from streams.kafka.create_topics import create
from streams.kafka.end_offsets import Ends
from streams.kafka.open_transactions import HeldBack
from streams.kafka.transactions import Transactions
from streams.topics import Topic

pytestmark = pytest.mark.integration


@pytest.fixture
def topic(platform: Settings) -> str:
    """A topic of one's own with two partitions."""
    name = f"held-{uuid.uuid4().hex[:8]}"
    create(platform, [Topic(name, 2)])
    return name


@pytest.fixture
def other(platform: Settings, topic: str) -> Iterator[Producer]:
    """Somebody else, who has a transaction open in partition 1."""
    sender = producer(platform, transactional_id=f"other-{topic}")
    sender.init_transactions(30)
    sender.begin_transaction()
    sender.produce(topic, b"open", partition=1)
    assert sender.flush(30) == 0
    yield sender
    sender.close()


def test_only_partitions_with_an_open_transaction_are_held_back(platform: Settings, topic: str, other: Producer) -> None:
    held = HeldBack(platform, (topic, "never-made"))
    assert held.read() == [(topic, 1)]
    other.commit_transaction(30)
    assert held.read() == []
    assert HeldBack(platform, ("never-made",)).read() == []


def test_who_begins_a_life_writes_where_one_is_open_and_commits_nothing(platform: Settings, topic: str, other: Producer) -> None:
    """The end of a transaction of the same id in the same partition is what ends one that the broker forgot."""
    group = f"group-{topic}"
    source = consumer(platform, group)
    ends = Ends(platform, 10.0)
    before = ends.read([(topic, 0), (topic, 1)])
    mine = Transactions(
        lambda: producer(platform, transactional_id=f"mine-{topic}"), group, threading.Event(), HeldBack(platform, (topic,)).read
    )
    mine.begin_life(source, topic)
    # A record, and the end of its transaction, which the broker writes after it has said that it is done.
    deadline = time.monotonic() + 20
    while ends.read([(topic, 1)])[topic, 1] < before[topic, 1] + 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert ends.read([(topic, 0)])[topic, 0] == before[topic, 0], "nothing is written where nothing is open"
    other.commit_transaction(30)
    source.assign([TopicPartition(topic, 1, 0)])
    values = [message.value() for message in source.consume(3, 5) if message.error() is None]
    assert values == [b"open"]
    assert source.committed([TopicPartition(topic, 0)], 30)[0].offset < 0
    mine.close()
    source.close()
