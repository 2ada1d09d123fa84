"""Several partitions as one sequence: each in its own order, and all of them at the same pace of event time.

Where the new log would hold one partition's months and then another's, all of the second would come late. So the partition
whose event time has come least far is always read on. Its time is what ``streams.event_clock`` shows: one record that is dated
a century ahead must not hold its partition back until all others have ended.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import msgspec

from streams import topics
from streams.core import Record
from streams.event_clock import advance, new_clock, shown


class _Transaction(msgspec.Struct, gc=False):
    event_time_ms: int


class _Scored(msgspec.Struct, gc=False):
    transaction: _Transaction


class _Label(msgspec.Struct, gc=False):
    label_time_ms: int


class _Outcome(msgspec.Struct, gc=False):
    outcome_time_ms: int


@cache
def _reader(topic: str) -> Callable[[bytes], int]:
    if topic == topics.TRANSACTIONS:
        transaction = msgspec.json.Decoder(_Transaction).decode
        return lambda value: transaction(value).event_time_ms
    if topic == topics.LABELS:
        label = msgspec.json.Decoder(_Label).decode
        return lambda value: label(value).label_time_ms
    if topic == topics.OUTCOMES:
        outcome = msgspec.json.Decoder(_Outcome).decode
        return lambda value: outcome(value).outcome_time_ms
    scored = msgspec.json.Decoder(_Scored).decode
    return lambda value: scored(value).transaction.event_time_ms


def time_of(record: Record) -> int | None:
    """The event time by which the record's topic goes on; None where it cannot be read."""
    try:
        time = _reader(record.topic)(record.value or b"")
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return time if abs(time) < 2**61 else None


def merged(parts: Iterable[Iterator[list[Record]]]) -> Iterator[Record]:
    """``parts``: pieces of each partition, in order."""
    sources = [_flat(pieces) for pieces in parts]
    clocks = [new_clock() for _ in sources]
    waiting: list[tuple[int, int, Record]] = []
    for i, source in enumerate(sources):
        first = next(source, None)
        if first is not None:
            waiting.append((shown(clocks[i]), i, first))
    heapq.heapify(waiting)
    while waiting:
        _, i, record = waiting[0]
        yield record
        time = time_of(record)
        if time is not None:
            advance(clocks[i], zlib.crc32(record.key or b""), time)
        following = next(sources[i], None)
        if following is None:
            heapq.heappop(waiting)
        else:
            heapq.heapreplace(waiting, (shown(clocks[i]), i, following))


def _flat(pieces: Iterator[list[Record]]) -> Iterator[Record]:
    for piece in pieces:
        yield from piece
