"""The partitioners are those of real producers."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka import Message, Producer

from features.base.settings import Settings
from streams.kafka.create_topics import create
from streams.kafka.partitioners import KNOWN, Name, spread
from streams.topics import Topic

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("setting", "name"),
    [("consistent_random", "crc32"), ("consistent", "crc32"), ("murmur2_random", "murmur2"), ("murmur2", "murmur2")],
)
def test_keys_lie_where_their_partitioner_says(platform: Settings, setting: str, name: Name) -> None:
    topic = f"spread-{uuid.uuid4().hex[:8]}"
    create(platform, [Topic(topic, 7)])
    sender = Producer({"bootstrap.servers": platform.bootstrap, "partitioner": setting})
    places: dict[bytes, int] = {}

    def delivered(_: object, message: Message) -> None:
        places[message.key() or b""] = message.partition() or 0

    for n in range(300):
        sender.produce(topic, b"x", f"card-{n:x}-é"[: 3 + n % 11].encode(), on_delivery=delivered)
    assert sender.flush(30) == 0
    assert set(places.values()) == set(range(7))
    assert spread(name, list(places), 7).tolist() == list(places.values())
    assert [KNOWN[name](key, 7) for key in places] == list(places.values())
