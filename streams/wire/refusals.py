"""Which records were refused for want of their schema, so that a log that is read again is decided as it was.

Whether a registry knows an id is of the world, not of the log: an id that was unknown yesterday may be registered by now. So what
was refused is written down before its dead letter is committed: by partition and id, from which offset to which, and when the
broker took the newest of them. A record in between was refused. One that the broker took later lies in a log that was made anew
under the same name, or is a copy that a repartition made; of these nothing is known.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

import msgspec

from features.base.storage import Store
from streams.kafka.records import Partition, Record

log = logging.getLogger(__name__)

#: By partition. More are somebody's noise, and nobody will register them.
MOST_IDS = 1000


class _Span(msgspec.Struct, array_like=True):
    first: int
    last: int
    #: When the broker took the last one, wall time in ms.
    at_ms: int


class Refusals:
    """What was refused, in the store beside the schemas: ``refused/TOPIC-PARTITION.json``.

    ``remember`` raises what the store raises; a partition that cannot be read raises, too, for nothing could be decided.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._of: dict[Partition, dict[str, _Span]] = {}

    def refused(self, record: Record, schema: int | UUID) -> bool:
        """Tell whether this record was refused before."""
        span = self._spans((record.topic, record.partition)).get(str(schema))
        return span is not None and span.first <= record.offset <= span.last and record.appended_ms <= span.at_ms

    def remember(self, refused: Iterable[tuple[Record, int | UUID]]) -> None:
        """Write down that these records are refused; it lasts when this returns."""
        changed: set[Partition] = set()
        for record, schema in refused:
            place = (record.topic, record.partition)
            spans = self._spans(place)
            span = spans.pop(str(schema), None)
            fresh = _Span(record.offset, record.offset, record.appended_ms)
            if span is not None and span.at_ms <= record.appended_ms and span.first <= record.offset:
                fresh = _Span(span.first, max(span.last, record.offset), record.appended_ms)
            elif span is not None and span.first <= record.offset <= span.last:
                fresh = span
            spans[str(schema)] = fresh  # the newest are last
            changed.add(place)
        for place in changed:
            spans = self._of[place]
            for old in list(spans)[:-MOST_IDS]:
                del spans[old]
            self._store.write(_name(place), msgspec.json.encode(spans))

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Read these anew when they are asked for: another member may write them meanwhile."""
        for partition in partitions:
            self._of.pop(partition, None)

    def _spans(self, place: Partition) -> dict[str, _Span]:
        spans = self._of.get(place)
        if spans is None:
            try:
                spans = msgspec.json.decode(self._store.read(_name(place)), type=dict[str, _Span])
            except FileNotFoundError:
                spans = {}
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                log.error("%s is damaged and counts as empty: %s", _name(place), type(error).__name__)  # noqa: TRY400
                spans = {}
            self._of[place] = spans
        return spans


def _name(place: Partition) -> str:
    return f"refused/{place[0]}-{place[1]}.json"
