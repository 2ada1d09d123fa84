"""Several partitions as one sequence: each in its own order, and all of them at the same pace of event time.

Where the new log would hold one partition's months and then another's, all of the second would come late. So the partition
whose next record is the oldest is always read on. One record that is dated a century ahead must not hold its partition back until
all others have ended: a record counts as no newer than the middle one of the AHEAD that come next.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from statistics import median_low

import msgspec

from features.base import names
from features.base.events import NAMES_ON_THE_WIRE, Event, Label, Outcome, Score
from streams import topics
from streams.engine.codec import UNREADABLE, Decoder
from streams.kafka.records import Record
from streams.wire.wire import Wire

AHEAD = 9
_ANY = -(2**62)


class _Event(msgspec.Struct, gc=False, rename=NAMES_ON_THE_WIRE):
    event_time_ms: int


class _Scored(msgspec.Struct, gc=False):
    event: _Event


class _Label(msgspec.Struct, gc=False):
    label_time_ms: int


class _Outcome(msgspec.Struct, gc=False):
    outcome_time_ms: int


for _view, _whole in ((_Event, Event), (_Scored, Score), (_Label, Label), (_Outcome, Outcome)):
    names.check_view(_view, _whole)


@cache
def _reader(topic: str, wire: Wire | None) -> Callable[[Record], int]:
    if topic == topics.EVENTS:
        event = Decoder(_Event, wire).decode
        return lambda record: event(record).event_time_ms
    if topic == topics.LABELS:
        label = Decoder(_Label, wire).decode
        return lambda record: label(record).label_time_ms
    if topic == topics.OUTCOMES:
        outcome = Decoder(_Outcome).decode
        return lambda record: outcome(record).outcome_time_ms
    scored = Decoder(_Scored).decode
    return lambda record: scored(record).event.event_time_ms


def time_of(record: Record, wire: Wire | None = None) -> int | None:
    """Return the event time by which the record's topic goes on; None where it cannot be read. ``wire`` reads values of producers
    that are not plain JSON."""
    try:
        time = _reader(record.topic, wire)(record)
    except UNREADABLE:
        return None
    return time if abs(time) < 2**61 else None


def merged(parts: Iterable[Iterator[list[Record]]], wire: Wire | None = None) -> Iterator[Record]:
    """Yield the records by time. ``parts``: pieces of each partition, in order; ``wire``: as in ``time_of``."""
    sources = [_Source(pieces, wire) for pieces in parts]
    waiting = [(source.time, i) for i, source in enumerate(sources) if source.ahead]
    heapq.heapify(waiting)
    while waiting:
        _, i = waiting[0]
        source = sources[i]
        yield source.take()
        if source.ahead:
            heapq.heapreplace(waiting, (source.time, i))
        else:
            heapq.heappop(waiting)


class _Source:
    """One partition, and the records of it that come next, each with its time."""

    def __init__(self, pieces: Iterator[list[Record]], wire: Wire | None) -> None:
        self._wire = wire
        self._records = (record for piece in pieces for record in piece)
        self.ahead: deque[tuple[int, Record]] = deque()
        self._fill()

    @property
    def time(self) -> int:
        """Return the time of the next record."""
        first = self.ahead[0][0]
        return min(first, median_low([time for time, _ in self.ahead]))

    def take(self) -> Record:
        _, record = self.ahead.popleft()
        self._fill()
        return record

    def _fill(self) -> None:
        while len(self.ahead) < AHEAD and (record := next(self._records, None)) is not None:
            time = time_of(record, self._wire)
            # One that cannot be read goes along with its neighbours.
            self.ahead.append((time if time is not None else self.ahead[-1][0] if self.ahead else _ANY, record))
