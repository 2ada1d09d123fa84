"""What the scorer takes of a batch of transactions: those that can be read, are new, and do not come from the future.

Decides for each partition by itself and is a pure function of its log and of the limits that counted at the time, whatever the
batches were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base.active import ROLES, WORDS
from features.base.durations import HOUR_MS
from features.base.events import Event
from features.base.sections import Scoring
from features.transform.columns import Columns, from_events
from streams.engine.codec import BatchDecoder, encode
from streams.engine.core import dead_letter
from streams.engine.future import ahead, reason
from streams.engine.repartition_header import copied
from streams.engine.settings_history import Histories, History
from streams.kafka.records import Partition, Produce, Record
from streams.scoring.admission.admission import CONFLICT, DUPLICATE, NEW, Admission
from streams.scoring.admission.digests import digests
from streams.wire.wire import Wire

#: A verdict beside those of streams.scoring.admission.admission: from the future.
_AHEAD = 3
_PROCESSOR = "scorer"


class ConflictingTransaction(ValueError):
    """An event_id came again with another body."""


@dataclass(frozen=True, slots=True)
class Taken:
    """n new transactions. ``bodies``: their canonical JSON; ``spread``: each partition with its rows, in their order."""

    records: list[Record]
    events: list[Event]
    bodies: list[bytes]
    columns: Columns
    spread: list[tuple[int, NDArray[np.int64]]]
    late: NDArray[np.bool_]


class Judged(NamedTuple):
    """A batch after the intake. ``new``: the transactions that are taken, None where none is; ``dead``: the dead letters of those
    that cannot be read, contradict an earlier one, or come from the future; ``repeated``: how many were dropped because they came
    before."""

    new: Taken | None
    dead: list[Produce]
    repeated: int


class IntakeLimits(NamedTuple):
    """See the settings ``scoring.duplicate_horizon_hours``, ``allowed_lateness_hours`` and ``allowed_lead_hours``."""

    horizon_ms: int
    lateness_ms: int
    lead_ms: int


def limits_of(scoring: Scoring) -> IntakeLimits:
    """Return the limits that the settings say."""
    hours = scoring.duplicate_horizon_hours, scoring.allowed_lateness_hours, scoring.allowed_lead_hours
    return IntakeLimits(*(int(number * HOUR_MS) for number in hours))


def admission(scoring: Scoring) -> Admission:
    """Make the admission of a new partition."""
    limits = limits_of(scoring)
    return Admission(limits.horizon_ms, limits.lateness_ms)


class Intake:
    """``admission_of`` gives the admission of a partition, which the records change. ``wire`` reads what is not plain JSON; None:
    nothing does."""

    def __init__(self, scoring: Scoring, admission_of: Callable[[int], Admission], wire: Wire | None = None) -> None:
        self.wire = wire
        self.limits = limits_of(scoring)
        self._histories = Histories()
        self._admission_of = admission_of
        self._decoder = BatchDecoder(Event, _PROCESSOR, wire)

    def take(self, records: Sequence[Record]) -> Judged:
        """Judge a batch of the log: what of it is new, and what becomes of the rest."""
        good, events, dead = self._decoder.decode(records)
        before = np.zeros(len(good), dtype=np.bool_)
        return self._judge(good, events, before, dead, {}) if events else Judged(None, dead, 0)

    def decided(self, partition: Partition, history: History) -> None:
        """Note by what limits the partition was processed so far (``streams.engine.settings_history``)."""
        self._histories.decided(partition, history)

    def forget(self, partitions: Sequence[Partition]) -> None:
        """Drop partitions that went to another member."""
        self._histories.forget(partitions)
        if self.wire is not None:
            self.wire.forget(partitions)

    def again(self, records: Sequence[Record]) -> Iterator[Taken]:
        """Yield those records that were taken when they were processed before, in parts.

        Only here are copies what they say: a producer may set any header.
        """
        for part, limits in self._histories.parts(records):
            good, events, dead = self._decoder.decode(part, again=True)
            of_then = {number: IntakeLimits(*bounds) for (_, number), bounds in limits.items()}
            new = self._judge(good, events, _taken_before(good), dead, of_then).new if events else None
            if new is not None:
                yield new

    def _judge(
        self,
        records: list[Record],
        events: list[Event],
        before: NDArray[np.bool_],
        dead: list[Produce],
        of_then: Mapping[int, IntakeLimits],
    ) -> Judged:
        """Judge what could be read. ``dead``: the letters of what could not, which the others are added to. ``of_then``: by
        partition, the limits where they are not those of now."""
        columns = from_events(events)
        ids = digests([e.event_id.encode() for e in events])[:, 0]
        bodies = list(map(encode, events))
        content = digests(bodies)[:, 0]
        subjects = digests([subject.encode() for subject in columns.subject])[:, 0]
        appended = np.array([record.appended_ms for record in records], dtype=np.int64)
        late = np.zeros(len(events), dtype=np.bool_)
        verdict = np.full(len(events), _AHEAD, dtype=np.int8)
        spread = _by_partition(records)
        for partition, every in spread:
            limits = of_then.get(partition, self.limits)
            future = ahead(columns.event_time_ms[every], appended[every], limits.lead_ms) & ~before[every]
            rows = every[~future]
            of_partition = self._admission_of(partition)
            of_partition.use(limits.horizon_ms, limits.lateness_ms)
            verdict[rows], late[rows] = of_partition.admit(
                ids[rows], content[rows], subjects[rows], columns.event_time_ms[rows], before[rows]
            )
        if not verdict.any():
            return Judged(Taken(records, events, bodies, columns, spread, late), dead, 0)
        repeated = int((verdict == DUPLICATE).sum())
        for i in np.flatnonzero((verdict == CONFLICT) | (verdict == _AHEAD)).tolist():
            why = reason(events[i].event_time_ms, records[i].appended_ms) if verdict[i] == _AHEAD else _conflict()
            dead.append(dead_letter(records[i], _PROCESSOR, why))
        kept = np.flatnonzero(verdict == NEW)
        if not len(kept):
            return Judged(None, dead, repeated)
        records = [records[i] for i in kept.tolist()]
        new = Taken(
            records,
            [events[i] for i in kept.tolist()],
            [bodies[i] for i in kept.tolist()],
            columns.take(kept),
            _by_partition(records),
            late[kept],
        )
        return Judged(new, dead, repeated)


def _conflict() -> ConflictingTransaction:
    return ConflictingTransaction(
        f"another {WORDS.event} with this {ROLES.id} and another body came before; give each {WORDS.event} an id of its own"
    )


def _taken_before(records: Sequence[Record]) -> NDArray[np.bool_]:
    """Tell which of n records were taken in a log of other partitions, bool [n]."""
    return np.fromiter((bool(r.headers) and copied(r) is not None for r in records), dtype=np.bool_, count=len(records))


def _by_partition(records: Sequence[Record]) -> list[tuple[int, NDArray[np.int64]]]:
    """Return the rows of each partition, in their order."""
    of = np.array([record.partition for record in records])
    return [(int(partition), np.flatnonzero(of == partition)) for partition in np.unique(of)]
