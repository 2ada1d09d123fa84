"""The partitioners are those of real producers."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka import Message, Producer

from features.base.settings import Settings
from streams.kafka.create_topics import create
from streams.kafka.partitioners import HASHES, Evidence, Name
from streams.topics import Topic

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("setting", "name"),
    [("consistent_random", "crc32"), ("consistent", "crc32"), ("murmur2_random", "murmur2"), ("murmur2", "murmur2")],
)
def test_keys_are_explained_by_the_partitioner_that_put_them_there(platform: Settings, setting: str, name: Name) -> None:
    topic = f"spread-{uuid.uuid4().hex[:8]}"
    create(platform, [Topic(topic, 7)])
    sender = Producer({"bootstrap.servers": platform.bootstrap, "partitioner": setting})
    evidence, places = Evidence(7), set[int]()

    def delivered(_: object, message: Message) -> None:
        evidence.see(topic, message.partition() or 0, message.key())
        places.add(message.partition() or 0)

    for n in range(300):
        sender.produce(topic, b"x", f"card-{n:x}-é"[: 3 + n % 11].encode(), on_delivery=delivered)
    assert sender.flush(30) == 0
    assert evidence.keys == 300
    assert len(places) == 7
    assert evidence.partitioner() == name
    assert all(elsewhere for other, elsewhere in evidence.elsewhere.items() if other != name)
    assert set(HASHES) == set(evidence.elsewhere)
