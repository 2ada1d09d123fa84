"""Take labels: those that can be read and do not lie in the future (``streams.engine.future``).

An outcome has its label's time, and what is known of a counterpart is read as of its newest outcome: one of the century to come
would hide the others. So both times of a label count.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from features.base.events import Label
from streams.engine import future
from streams.engine.codec import BatchDecoder
from streams.engine.core import dead_letter
from streams.engine.repartition_header import copied
from streams.engine.settings_history import Histories, History
from streams.kafka.records import Partition, Produce, Record
from streams.wire.wire import Wire

#: Who refuses a record, in its dead letter.
PROCESSOR = "label-joiner"


class JoinLimits(NamedTuple):
    """See the settings ``labels.delay_days`` and ``scoring.allowed_lead_hours``; a lead of 0 is none. Notes
    (``streams.engine.commit_metadata``) from before labels had a lead hold the delay alone."""

    delay_ms: int
    lead_ms: int = 0


class LabelIntake:
    """Decides for each record by itself; a pure function of the log and of the limits that counted at the time. ``wire`` reads
    what is not plain JSON; None: nothing does."""

    def __init__(self, lead_ms: int, wire: Wire | None = None) -> None:
        self.wire = wire
        self._lead_ms = lead_ms
        self._histories = Histories()
        self._decoder = BatchDecoder(Label, PROCESSOR, wire)

    def take(self, records: Iterable[Record]) -> tuple[list[Record], list[Label], list[Produce]]:
        """Return the records that are taken, their labels, and the dead letters of the others."""
        good, labels, dead = self._decoder.decode(records)
        ahead = [_is_ahead(label, record, self._lead_ms) for record, label in zip(good, labels, strict=True)]
        if not any(ahead):
            return good, labels, dead
        judged = list(zip(good, labels, ahead, strict=True))
        dead += [dead_letter(record, PROCESSOR, _why_ahead(label, record)) for record, label, refused in judged if refused]
        taken = [(record, label) for record, label, refused in judged if not refused]
        return [record for record, _ in taken], [label for _, label in taken], dead

    def decided(self, partition: Partition, history: History) -> None:
        """Note by what limits (``JoinLimits``) this partition of ``labels`` was processed so far."""
        self._histories.decided(partition, history)

    def again(self, records: Iterable[Record]) -> tuple[list[Record], list[Label]]:
        """Return those records that were taken when they were processed before, and their labels.

        Only here are copies what they say: a producer may set any header. A copy was taken in its old log, and that counts: the
        times at which the broker took the two differ, and so may the limits.
        """
        good, labels, _ = self._decoder.decode(records, again=True)
        taken = [
            (record, label)
            for record, label in zip(good, labels, strict=True)
            if not _is_ahead(label, record, self._lead_at(record)) or (record.headers and copied(record) is not None)
        ]
        return [record for record, _ in taken], [label for _, label in taken]

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Drop partitions that went to another member."""
        gone = list(partitions)
        self._histories.forget(gone)
        if self.wire is not None:
            self.wire.forget(gone)

    def _lead_at(self, record: Record) -> int:
        of_then = self._histories.at(record)
        return self._lead_ms if of_then is None else JoinLimits(*of_then).lead_ms


def _is_ahead(label: Label, record: Record, lead_ms: int) -> bool:
    return future.is_ahead(max(label.event_time_ms, label.label_time_ms), record.appended_ms, lead_ms)


def _why_ahead(label: Label, record: Record) -> future.EventAhead:
    """Name the time that lies further ahead: once that has come, so has the other."""
    if label.label_time_ms > label.event_time_ms:
        return future.reason(label.label_time_ms, record.appended_ms, "label_time_ms")
    return future.reason(label.event_time_ms, record.appended_ms)
