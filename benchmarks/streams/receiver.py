"""Writes down when each record of a topic arrives: ``python -m benchmarks.streams.receiver TOPIC COUNT OUT``.

A process of its own, so that it does not share an interpreter with the sender. It prints a line once it is at the topic's end.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec
from confluent_kafka import TopicPartition

from features.base.events import NAMES_ON_THE_WIRE
from features.base.settings import load
from streams.kafka.clients import consumer

_LONGEST_SILENCE_S = 60.0


class _Id(msgspec.Struct, rename=NAMES_ON_THE_WIRE):
    event_id: str


class _Either(msgspec.Struct, rename=NAMES_ON_THE_WIRE):
    """An event, or a score of one."""

    event_id: str | None = None
    event: _Id | None = None


def main(arguments: list[str]) -> int:
    """0; 1 where records stay away for long."""
    topic, count, out = arguments[0], int(arguments[1]), Path(arguments[2])
    settings = load()
    # No group joins: the partitions are assigned by hand. One partition end each says that it stands there.
    reader = consumer(settings, "benchmark-receiver")
    places = [TopicPartition(topic, partition) for partition in range(settings.partitions)]
    reader.assign([TopicPartition(topic, place.partition, reader.get_watermark_offsets(place, 10)[1]) for place in places])
    ready = 0
    got: list[tuple[bytes, int]] = []
    last = time.monotonic()
    while len(got) < count:
        message = reader.poll(1.0)
        if message is None or message.error() is not None:
            if message is not None and ready < len(places):
                ready += 1
                if ready == len(places):
                    print("ready", flush=True)
            if time.monotonic() - last > _LONGEST_SILENCE_S:
                break
            continue
        received_ns = time.time_ns()
        value = message.value()
        assert value is not None
        got.append((value, received_ns))
        last = time.monotonic()
    reader.close()
    decode = msgspec.json.Decoder(_Either).decode
    pairs = []
    for value, at in got:
        either = decode(value)
        pairs.append((either.event.event_id if either.event else either.event_id, at))
    out.write_bytes(msgspec.json.encode(pairs))
    return 0 if len(got) == count else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
