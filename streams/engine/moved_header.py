"""A record that was moved to its subject's partition: a header says where it came from, when, and how often it was moved.

``driftloop-moved: PARTITION,OFFSET,APPENDED_MS,CLOCK_MS,MOVES``: the place in the same topic where its producer put it, when the
broker took it there, and how far event time had come in that partition. Whether a record comes from the future is judged by the
first time, whether it is late by the second.

A producer may set the header itself. It gains little: of two times at which a broker took it the earlier counts, by which more is
refused as too far ahead, never less; a record can be called late that is not, or the other way round; and one that has been moved
so often already becomes a dead letter where it is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from streams.engine.core import MOST_DIGITS
from streams.kafka.records import Record

MOVED_HEADER = "driftloop-moved"
#: A record is moved once. More often where it comes from another platform, or was on its way in a repartition.
MOST_MOVES = 8


class Moved(NamedTuple):
    """Where a record came from. ``appended_ms`` and ``clock_ms``: 0 where that is not known."""

    partition: int
    offset: int
    appended_ms: int
    clock_ms: int = 0
    moves: int = 1

    def header(self) -> tuple[str, bytes]:
        """Return the header as it is written. The inverse is ``moved``."""
        return MOVED_HEADER, ",".join(map(str, self)).encode()


def moved(record: Record) -> Moved | None:
    """Return what the header says; None where the record has none, or one that is none of ours."""
    for name, value in record.headers:
        if name == MOVED_HEADER:
            return _origin_of(value or b"")
    return None


def appended_ms(record: Record) -> int:
    """Return when the broker took the record from its producer, 0 where that is not known."""
    if not record.headers:
        return record.appended_ms
    origin = moved(record)
    if origin is None or not origin.appended_ms:
        return record.appended_ms
    return min(origin.appended_ms, record.appended_ms or origin.appended_ms)


@lru_cache(maxsize=4096)
def _origin_of(value: bytes) -> Moved | None:
    parts = value.split(b",")
    if len(parts) != len(Moved._fields) or not all(part.isdigit() and len(part) <= MOST_DIGITS for part in parts):
        return None
    return Moved(*map(int, parts))
