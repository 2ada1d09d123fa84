"""Records as events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from features.base.settings import Settings
from infra.inspect.tail import Seen, newest
from streams.engine.codec import UNREADABLE, Decoder
from streams.kafka.records import Record
from streams.wire.errors import RegistryAway
from streams.wire.wire import Wire

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True)
class Events(Generic[T]):
    """The newest events of a topic with the records they came in, oldest first; ``ends`` as in ``Tail``."""

    events: list[tuple[Seen, T]]
    ends: dict[int, int]


def decoder(kind: type[T], topic: str = "", wire: Wire | None = None) -> Callable[[Seen], T | None]:
    """Return a function that decodes a record's value: to None where it is no ``kind``. ``wire`` reads those of a ``topic`` of
    producers that are not plain JSON; a registry that is away gives None."""
    decode = Decoder(kind, wire).decode

    def decoded(seen: Seen) -> T | None:
        record = Record(topic, seen.partition, seen.offset, seen.key, seen.value, seen.headers, seen.timestamp_ms)
        try:
            return decode(record)
        except (*UNREADABLE, RegistryAway):
            return None

    return decoded


def newest_events(settings: Settings, topic: str, kind: type[T], n: int, keep: Callable[[T], bool] = lambda _: True) -> Events[T]:
    """Read the newest ``n`` events of ``topic`` that ``keep`` wants. Records that are no ``kind`` are passed over.

    Raises as ``infra.inspect.tail.newest``.
    """
    decode = decoder(kind)

    def wanted(seen: Seen) -> bool:
        event = decode(seen)
        return event is not None and keep(event)

    tail = newest(settings, topic, n, wanted)
    return Events([(seen, event) for seen in tail.records if (event := decode(seen)) is not None], tail.ends)
