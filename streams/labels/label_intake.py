"""Take labels: those that can be read and do not lie in the future (``streams.engine.future``).

An outcome has its label's time, and what is known of a counterpart is read as of its newest outcome: one of the century to come
would hide the others. So both times of a label count.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base.events import Label
from streams.engine import future
from streams.engine.codec import BatchDecoder
from streams.engine.core import dead_letter
from streams.engine.homes import ANYWHERE, WHERE_THEY_LIE, Homes, Stray
from streams.engine.moved_header import appended_ms
from streams.engine.repartition_header import copied
from streams.engine.settings_history import Histories, History
from streams.kafka.records import Partition, Produce, Record
from streams.wire.wire import Wire

#: Who refuses a record, in its dead letter.
PROCESSOR = "label-joiner"


class JoinLimits(NamedTuple):
    """See the settings ``labels.delay_days`` and ``scoring.allowed_lead_hours``; a lead of 0 is none. ``corrects``: 1 where the
    newest label counts (``streams.labels.verdict``). Notes (``streams.engine.commit_metadata``) from before labels had a lead
    hold the delay alone, those from before labels were corrected the first two."""

    delay_ms: int
    lead_ms: int = 0
    #: See ``streams.engine.homes``.
    partitioner: int = ANYWHERE
    corrects: int = 0


class TakenLabels(NamedTuple):
    """Labels that are taken, with their records; the dead letters of those that are not; and the records that lie elsewhere than
    their subject's scores."""

    records: list[Record]
    labels: list[Label]
    dead: list[Produce]
    astray: list[Stray]


class LabelIntake:
    """Decides for each record by itself; a pure function of the log and of the limits that counted at the time. ``wire`` reads
    what is not plain JSON; None: nothing does."""

    def __init__(self, lead_ms: int, homes: Homes = WHERE_THEY_LIE, wire: Wire | None = None) -> None:
        self.wire = wire
        self._lead_ms = lead_ms
        self._homes = homes
        self._histories = Histories()
        self._decoder = BatchDecoder(Label, PROCESSOR, wire)

    def take(self, records: Iterable[Record]) -> TakenLabels:
        """Judge a batch of the log."""
        good, labels, dead = self._decoder.decode(records)
        elsewhere = self._astray(good, labels, self._homes.code)
        ahead = [_is_ahead(label, record, self._lead_ms) for record, label in zip(good, labels, strict=True)]
        if not any(ahead) and not elsewhere.any():
            return TakenLabels(good, labels, dead, [])
        taken = TakenLabels([], [], dead, [])
        for record, label, moves, refused in zip(good, labels, elsewhere.tolist(), ahead, strict=True):
            if moves:
                taken.astray.append(Stray(record, label.subject.encode()))
            elif refused:
                taken.dead.append(dead_letter(record, PROCESSOR, _why_ahead(label, record)))
            else:
                taken.records.append(record)
                taken.labels.append(label)
        return taken

    def decided(self, partition: Partition, history: History) -> None:
        """Note by what limits (``JoinLimits``) this partition of ``labels`` was processed so far."""
        self._histories.decided(partition, history)

    def again(self, records: Iterable[Record]) -> tuple[list[Record], list[Label]]:
        """Return those records that were taken when they were processed before, and their labels.

        Only here are copies what they say: a producer may set any header. A copy was taken in its old log, and that counts: the
        times at which the broker took the two differ, and so may the limits.
        """
        good, labels, _ = self._decoder.decode(records, again=True)
        limits = [self._at(record) for record in good]
        elsewhere = np.zeros(len(good), dtype=np.bool_)
        for code in {of_then.partitioner for of_then in limits}:
            of_code = np.array([of_then.partitioner == code for of_then in limits])
            elsewhere |= of_code & self._astray(good, labels, code)
        taken = [
            (record, label)
            for record, label, of_then, moves in zip(good, labels, limits, elsewhere.tolist(), strict=True)
            if (record.headers and copied(record) is not None) or not (moves or _is_ahead(label, record, of_then.lead_ms))
        ]
        return [record for record, _ in taken], [label for _, label in taken]

    def corrects(self, record: Record) -> bool:
        """Tell whether the newest label counted when this record was processed, or the first one."""
        of_then = self._histories.at(record)
        return of_then is None or JoinLimits(*of_then).corrects > 0

    def _astray(self, records: list[Record], labels: list[Label], code: int) -> NDArray[np.bool_]:
        lie = np.fromiter((record.partition for record in records), dtype=np.int64, count=len(records))
        return self._homes.astray(lie, [label.subject.encode() for label in labels], code)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Drop partitions that went to another member."""
        gone = list(partitions)
        self._histories.forget(gone)
        if self.wire is not None:
            self.wire.forget(gone)

    def _at(self, record: Record) -> JoinLimits:
        of_then = self._histories.at(record)
        return JoinLimits(0, self._lead_ms, self._homes.code) if of_then is None else JoinLimits(*of_then)


def _is_ahead(label: Label, record: Record, lead_ms: int) -> bool:
    return future.is_ahead(max(label.event_time_ms, label.label_time_ms), appended_ms(record), lead_ms)


def _why_ahead(label: Label, record: Record) -> future.EventAhead:
    """Name the time that lies further ahead: once that has come, so has the other."""
    if label.label_time_ms > label.event_time_ms:
        return future.reason(label.label_time_ms, appended_ms(record), "label_time_ms")
    return future.reason(label.event_time_ms, appended_ms(record))
