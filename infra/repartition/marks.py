"""How far the label joiner and the drift monitor had come in the old log: what the copies carry
(``streams.engine.repartition_header``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from streams import topics
from streams.drift.data.looks import ScoreSeen
from streams.drift.performance.mature_outcomes import OutcomeSeen
from streams.drift.watermark import Watermark
from streams.engine.repartition_header import Copied, copied
from streams.engine.settings_history import History, Since, at
from streams.kafka.records import Record
from streams.labels.label_intake import JoinLimits
from streams.labels.outcomes import JoinedScore

_joined = msgspec.json.Decoder(JoinedScore).decode
_seen = msgspec.json.Decoder(ScoreSeen).decode
_outcome = msgspec.json.Decoder(OutcomeSeen).decode
_UNREADABLE = (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Marks:
    """Is shown all scores and outcomes of the old log, in order per partition; then gives the mark of every record.

    ``delay_ms``: the label joiner's, where ``delays`` does not say by partition which limits counted
    (``streams.engine.settings_history``).
    """

    def __init__(self, partitions: int, delay_ms: int, delays: Mapping[int, History] | None = None) -> None:
        self._always: History = (Since(0, (delay_ms,)),)
        self._delays = delays or {}
        self._watched = {topics.SCORES: Watermark(partitions), topics.OUTCOMES: Watermark(partitions)}
        self._watched_ms: dict[str, int | None] = {}
        #: The joiner's watermark of each partition, and what it had reached, less the delay of then, with scores by themselves.
        self._joined: dict[int, int] = {}
        self._reached: dict[int, int] = {}

    def see(self, records: Sequence[Record]) -> None:
        """Note the records of one partition of one of the two topics."""
        times: list[int] = []
        for record in records:
            copy = copied(record) if record.headers else None
            if record.topic == topics.SCORES:
                self._join(record, copy)
            try:
                value = record.value or b""
                time = _seen(value).event.event_time_ms if record.topic == topics.SCORES else _outcome(value).outcome_time_ms
            except _UNREADABLE:
                continue
            times.append(time)
            self._watched[record.topic].note([copy])
        if times:
            self._watched[records[0].topic].see(records[0].partition, max(times), len(times))

    def settle(self) -> None:
        """Note that all was seen."""
        for topic, mark in self._watched.items():
            mark.settle()
            self._watched_ms[topic] = mark.time_ms

    def of(self, record: Record) -> Copied:
        """Return what a record's copy says."""
        joined = None
        if record.topic in (topics.SCORES, topics.LABELS):
            joined = self._joined_ms(record)
        return Copied(joined, self._watched_ms.get(record.topic))

    def _join(self, record: Record, copy: Copied | None) -> None:
        try:
            score = _joined(record.value or b"")
        except _UNREADABLE:
            return
        number = record.partition
        self._joined[number] = max(score.event.event_time_ms, self._joined.get(number, -1))
        if copy is None:
            delay = JoinLimits(*at(self._delays.get(number) or self._always, record.offset)).delay_ms
            self._reached[number] = max(self._joined[number] - delay, self._reached.get(number, -1))

    def _joined_ms(self, record: Record) -> int | None:
        """Return what a copy of an earlier repartition said: it is still so; and where a score came since, time has passed."""
        before = copied(record)
        times_ms = [at_ms for at_ms in (self._reached.get(record.partition), before and before.joined_ms) if at_ms is not None]
        return max(times_ms, default=None)
