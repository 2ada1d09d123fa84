"""How far the label joiner and the drift monitor had come in the old log: what the copies carry (``streams.copied``)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams import topics
from streams.copied import Copied, copied
from streams.core import Record
from streams.drift.data import ScoreSeen
from streams.drift.outcomes import OutcomeSeen
from streams.drift.watermark import Watermark
from streams.label_joiner import JoinedScore

_joined = msgspec.json.Decoder(JoinedScore).decode
_seen = msgspec.json.Decoder(ScoreSeen).decode
_outcome = msgspec.json.Decoder(OutcomeSeen).decode
_UNREADABLE = (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Marks:
    """Is shown all scores and outcomes of the old log, in order per partition; then gives the mark of every record."""

    def __init__(self, partitions: int) -> None:
        self._watched = {topics.SCORES: Watermark(partitions), topics.OUTCOMES: Watermark(partitions)}
        self._watched_ms: dict[str, int | None] = {}
        #: The joiner's watermark of each partition in which a score came by itself.
        self._joined: dict[int, int] = {}
        self._live: set[int] = set()

    def see(self, records: Sequence[Record]) -> None:
        """Records of one partition of one of the two topics."""
        times: list[int] = []
        for record in records:
            copy = copied(record) if record.headers else None
            if record.topic == topics.SCORES:
                self._join(record, copy)
            try:
                value = record.value or b""
                time = (
                    _seen(value).transaction.event_time_ms if record.topic == topics.SCORES else _outcome(value).outcome_time_ms
                )
            except _UNREADABLE:
                continue
            times.append(time)
            self._watched[record.topic].note([copy])
        if times:
            self._watched[records[0].topic].see(records[0].partition, max(times), len(times))

    def settle(self) -> None:
        """All was seen."""
        for topic, mark in self._watched.items():
            mark.settle()
            self._watched_ms[topic] = mark.time_ms

    def of(self, record: Record) -> Copied:
        """What a record's copy says."""
        joined = None
        if record.topic in (topics.SCORES, topics.LABELS):
            joined = self._joined_ms(record)
        return Copied(joined, self._watched_ms.get(record.topic))

    def _join(self, record: Record, copy: Copied | None) -> None:
        try:
            score = _joined(record.value or b"")
        except _UNREADABLE:
            return
        if copy is None:
            self._live.add(record.partition)
        self._joined[record.partition] = max(score.transaction.event_time_ms, self._joined.get(record.partition, -1))

    def _joined_ms(self, record: Record) -> int | None:
        """Where no score came since an earlier repartition, no time has passed: what the copy said then is still so."""
        if record.partition in self._live:
            return self._joined[record.partition]
        before = copied(record)
        return None if before is None else before.joined_ms
