"""Records as they lie in a topic, and as they are written."""

from __future__ import annotations

import msgspec

#: A topic and the number of one of its partitions.
Partition = tuple[str, int]


class Record(msgspec.Struct, frozen=True, gc=False):
    """One consumed record, as it lies in its topic. ``appended_ms``: when the broker took it, 0 where that is not known."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] = []
    appended_ms: int = 0


class Produce(msgspec.Struct, frozen=True, gc=False):
    """One record to write. ``partition`` -1: by the key. ``error``: of a dead letter, what kind."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int = -1
    headers: list[tuple[str, bytes | None]] = []
    error: str = ""
