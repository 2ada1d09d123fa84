"""A platform of its own, with simulated transactions, filled Redis and a champion at the model server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import msgspec

from benchmarks.feast import rows
from benchmarks.streams import champion
from features.base.settings import Settings, load
from features.domains.card_fraud.event import Payment
from features.online.store import OnlineWriter
from infra.platform import up_down
from streams import topics
from streams.kafka.clients import producer
from streams.kafka.create_topics import create as create_topics
from streams.publish.encode import encode_events, keys
from streams.simulate.card_fraud.options import Options
from streams.simulate.card_fraud.simulation import Simulation

#: Payments of a card in a day, and cards by terminal.
_RATE, _CARDS_A_TERMINAL = 2.0, 4
_DIFFERENT_PROFILES = 10_000
#: The day after ``benchmarks.feast.rows.NOW_MS``: profiles and tiles are known by then.
_START = date(2026, 1, 2)


@dataclass(frozen=True, slots=True)
class Events:
    """Simulated transactions in the order of their event time: JSON, and the card as the key."""

    values: list[bytes]
    keys: list[bytes]

    def __len__(self) -> int:
        return len(self.values)

    def part(self, begin: int, end: int) -> Events:
        """Those from ``begin`` to ``end``."""
        return Events(self.values[begin:end], self.keys[begin:end])


def simulate(events: int, subjects: int) -> tuple[Events, list[str], list[str]]:
    """``events`` transactions, and the ids of all cards and terminals. Raises ValueError as ``Options``."""
    options = Options(cards=subjects, terminals=max(40, subjects // _CARDS_A_TERMINAL), rate=_RATE, start=_START)
    simulation = Simulation(options)
    stream = Events([], [])
    day = 0
    while len(stream) < events:
        batch = simulation.day(day).transactions
        stream.values.extend(encode_events(batch))
        stream.keys.extend(keys(batch.subject))
        day += 1
    return stream.part(0, events), simulation.world.subject.tolist(), simulation.world.counterpart.tolist()


@contextmanager
def running(events: int, distinct: int) -> Iterator[tuple[Settings, Events]]:
    """A platform with broker, Redis and model server in a temporary folder, and ``events`` transactions, none published yet.

    Redis holds a profile of each card and tiles of each terminal. Raises PlatformError where something does not come up.
    """
    stream, subjects, counterparts = simulate(events, distinct)
    with tempfile.TemporaryDirectory(prefix="streams-") as folder:
        settings = load(Path(folder) / "platform")
        try:
            settings = up_down.up(settings, only={"kafka", "redis"})
            _fill_redis(settings, subjects, counterparts)
            sample = [msgspec.json.decode(value, type=Payment) for value in stream.values[:20_000]]
            champion.install(settings, Path(folder) / "champion", sample)
            settings = up_down.up(settings, only={"model-server"})
            yield settings, stream
        finally:
            up_down.down(settings)


def fill(settings: Settings, topic: str, events: Events) -> None:
    """Publish, and wait for every acknowledgement."""
    publisher = producer(settings)
    for value, key in zip(events.values, events.keys, strict=True):
        while True:
            try:
                publisher.produce(topic, value, key)
            except BufferError:
                publisher.poll(0.1)
            else:
                break
        publisher.poll(0)
    if publisher.flush(120):
        raise RuntimeError(f"the broker did not take all records of {topic}; look at its log")
    publisher.close()


def create(settings: Settings, *names: str) -> None:
    """Topics as ``transactions`` is one."""
    like = next(topic for topic in topics.all_topics(settings.partitions) if topic.name == topics.EVENTS)
    create_topics(settings, [replace(like, name=name) for name in names])


def write_profiles(settings: Settings, subjects: Sequence[str]) -> None:
    """A customer profile of each card into Redis. Those of many thousands share some contents."""
    profiles = rows.owners(min(len(subjects), _DIFFERENT_PROFILES))
    writer = OnlineWriter(settings)
    for begin in range(0, len(subjects), len(profiles)):
        # One part of the ids at a time: the writer has read all answers before it sends the next.
        writer.write_profiles(
            [
                replace(row, subject=subject)
                for row, subject in zip(profiles, subjects[begin : begin + len(profiles)], strict=False)
            ]
        )
    writer.close()


def _fill_redis(settings: Settings, subjects: Sequence[str], counterparts: Sequence[str]) -> None:
    write_profiles(settings, subjects)
    writer = OnlineWriter(settings)
    tiles = rows.counterparts(len(counterparts))
    writer.write_counterpart_risk([replace(row, counterpart=name) for row, name in zip(tiles, counterparts, strict=True)])
    writer.close()
