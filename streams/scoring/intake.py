"""What the scorer takes of a batch of transactions: those that can be read, are new, and do not come from the future.

Decides for each partition by itself and is a pure function of its log and of the limits that counted at the time, whatever the
batches were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from streams.engine.homes import ANYWHERE, WHERE_THEY_LIE, Homes, Stray
from streams.engine.moved_header import appended_ms, moved
from streams.engine.repartition_header import Copied, copied
from streams.engine.settings_history import Histories, History
from streams.kafka.records import Partition, Produce, Record
from streams.scoring.admission.admission import ASTRAY, DUPLICATE, NEW, Admission, Origins
from streams.scoring.admission.digests import digests
from streams.scoring.admission.event_clock import NEVER
from streams.scoring.explained import explained
from streams.scoring.measures import DEAD_LETTER, OWN, Measures
from streams.wire.wire import Wire

#: Verdicts beside those of streams.scoring.admission.admission: from the future; no measure in the reference unit.
_AHEAD, _UNMEASURED = 4, 5
_PROCESSOR = "scorer"


class ConflictingTransaction(ValueError):
    """An event_id came again with another body."""


@dataclass(frozen=True, slots=True)
class Taken:
    """n new transactions. ``bodies``: their canonical JSON; ``columns``: with measures in parts of the reference unit, and
    ``unknown``: which have none; ``spread``: each partition with its rows, in their order."""

    records: list[Record]
    events: list[Event]
    bodies: list[bytes]
    columns: Columns
    spread: list[tuple[int, NDArray[np.int64]]]
    late: NDArray[np.bool_]
    unknown: NDArray[np.bool_]


class Judged(NamedTuple):
    """A batch after the intake. ``new``: the transactions that are taken, None where none is; ``dead``: the dead letters of those
    that cannot be read, contradict an earlier one, or come from the future; ``repeated``: how many were dropped because they came
    before; ``astray``: those that lie elsewhere than their subject's others."""

    new: Taken | None
    dead: list[Produce]
    repeated: int
    astray: list[Stray]


class IntakeLimits(NamedTuple):
    """See the settings ``scoring.duplicate_horizon_hours``, ``allowed_lateness_hours`` and ``allowed_lead_hours``, and
    for ``units`` ``streams.scoring.measures``."""

    horizon_ms: int
    lateness_ms: int
    lead_ms: int
    #: See ``streams.engine.homes``.
    partitioner: int = ANYWHERE
    units: int = OWN


def limits_of(scoring: Scoring, partitioner: int = ANYWHERE) -> IntakeLimits:
    """Return the limits that the settings say."""
    hours = scoring.duplicate_horizon_hours, scoring.allowed_lateness_hours, scoring.allowed_lead_hours
    horizon_ms, lateness_ms, lead_ms = (int(number * HOUR_MS) for number in hours)
    return IntakeLimits(horizon_ms, lateness_ms, lead_ms, partitioner)


def admission(scoring: Scoring) -> Admission:
    """Make the admission of a new partition."""
    limits = limits_of(scoring)
    return Admission(limits.horizon_ms, limits.lateness_ms)


class Intake:
    """``admission_of`` gives the admission of a partition, which the records change; ``measures`` converts; ``homes``: where
    records belong; ``wire`` reads what is not plain JSON (without it nothing does)."""

    def __init__(
        self,
        scoring: Scoring,
        admission_of: Callable[[int], Admission],
        measures: Measures,
        homes: Homes = WHERE_THEY_LIE,
        wire: Wire | None = None,
    ) -> None:
        self.wire = wire
        self.limits = limits_of(scoring, homes.code)._replace(units=measures.mode)
        self._measures = measures
        self._homes = homes
        self._histories = Histories()
        self._admission_of = admission_of
        self._decoder = BatchDecoder(Event, _PROCESSOR, wire, explained)

    def take(self, records: Sequence[Record]) -> Judged:
        """Judge a batch of the log: what of it is new, and what becomes of the rest."""
        good, events, dead = self._decoder.decode(records)
        before = np.zeros(len(good), dtype=np.bool_)
        return self._judge(good, events, before, dead, {}) if events else Judged(None, dead, 0, [])

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
        names = [subject.encode() for subject in columns.subject]
        subjects = digests(names)[:, 0]
        appended, came_ms = _came(records)
        late = np.zeros(len(events), dtype=np.bool_)
        clock_ms = np.zeros(len(events), dtype=np.int64)
        verdict = np.full(len(events), _AHEAD, dtype=np.int8)
        lie, spread = _by_partition(records)
        astray = self._astray(lie, names, of_then) & ~before
        columns, unknown, reasons = self._measured(records, events, columns, appended, before, of_then)
        for partition, every in spread:
            limits = of_then.get(partition, self.limits)
            future = ahead(columns.event_time_ms[every], appended[every], limits.lead_ms) & ~before[every]
            rows = every[~future]
            if reasons and limits.units == DEAD_LETTER:
                unmeasured = unknown[rows] & ~before[rows] & ~astray[rows]
                verdict[rows[unmeasured]] = _UNMEASURED
                rows = rows[~unmeasured]
            of_partition = self._admission_of(partition)
            of_partition.use(limits.horizon_ms, limits.lateness_ms)
            verdict[rows], late[rows], clock_ms[rows] = of_partition.admit(
                ids[rows],
                content[rows],
                subjects[rows],
                columns.event_time_ms[rows],
                Origins(before[rows], astray[rows], came_ms[rows]),
            )
        # One from the future is judged where it belongs.
        verdict[astray] = ASTRAY
        if not verdict.any():
            return Judged(Taken(records, events, bodies, columns, spread, late, unknown), dead, 0, [])
        repeated = int((verdict == DUPLICATE).sum())
        for i in np.flatnonzero((verdict != NEW) & (verdict != DUPLICATE) & ~astray).tolist():
            why: ValueError = reasons[i] if verdict[i] == _UNMEASURED else _conflict()
            if verdict[i] == _AHEAD:
                why = reason(events[i].event_time_ms, int(appended[i]))
            dead.append(dead_letter(records[i], _PROCESSOR, why))
        elsewhere = [Stray(records[i], names[i], int(clock_ms[i])) for i in np.flatnonzero(astray).tolist()]
        kept = np.flatnonzero(verdict == NEW)
        if not len(kept):
            return Judged(None, dead, repeated, elsewhere)
        records = [records[i] for i in kept.tolist()]
        new = Taken(
            records,
            [events[i] for i in kept.tolist()],
            [bodies[i] for i in kept.tolist()],
            columns.take(kept),
            _by_partition(records)[1],
            late[kept],
            unknown[kept],
        )
        return Judged(new, dead, repeated, elsewhere)

    def _astray(
        self, lie: NDArray[np.int64], subjects: Sequence[bytes], of_then: Mapping[int, IntakeLimits]
    ) -> NDArray[np.bool_]:
        """Tell which of n events lie elsewhere than their subject's, by the partitioner that counted in their partition."""
        if not of_then:
            return self._homes.astray(lie, subjects, self.limits.partitioner)
        elsewhere = np.zeros(len(lie), dtype=np.bool_)
        codes = {partition: limits.partitioner for partition, limits in of_then.items()}
        for code in {*codes.values(), self.limits.partitioner}:
            of_code = np.array([codes.get(partition, self.limits.partitioner) == code for partition in lie.tolist()])
            elsewhere |= of_code & self._homes.astray(lie, subjects, code)
        return elsewhere

    def _measured(
        self,
        records: Sequence[Record],
        events: Sequence[Event],
        columns: Columns,
        appended: NDArray[np.int64],
        before: NDArray[np.bool_],
        of_then: Mapping[int, IntakeLimits],
    ) -> tuple[Columns, NDArray[np.bool_], dict[int, ValueError]]:
        """Return the columns with measures in parts of the reference unit, which are not known, bool [n], and why not, by row."""
        converted = self._measures.of(events, columns.measure, columns.event_time_ms, appended)
        measure, reasons = converted.measure, converted.reasons
        unknown = np.zeros(len(events), dtype=np.bool_)
        unknown[list(reasons)] = True
        own = [partition for partition, limits in of_then.items() if limits.units == OWN]
        if own and self._measures.mode != OWN:
            # Of before there were rates: as it stood.
            rows = np.isin(np.array([record.partition for record in records]), own)
            measure, unknown = np.where(rows, columns.measure, measure), unknown & ~rows
        if before.any():
            # A copy has another time at the broker, and says itself what it counted.
            measure, unknown = measure.copy(), unknown.copy()
            for i in np.flatnonzero(before).tolist():
                counted = (copied(records[i]) or Copied()).measure
                measure[i], unknown[i] = columns.measure[i] if counted is None else max(counted, 0), (counted or 0) < 0
        if measure is columns.measure and not unknown.any():
            return columns, unknown, reasons
        kind = np.where(unknown, -1, columns.kind).astype(np.int8)
        return replace(columns, measure=measure, kind=kind), unknown, reasons


def _conflict() -> ConflictingTransaction:
    return ConflictingTransaction(
        f"another {WORDS.event} with this {ROLES.id} and another body came before; give each {WORDS.event} an id of its own"
    )


def _taken_before(records: Sequence[Record]) -> NDArray[np.bool_]:
    """Tell which of n records were taken in a log of other partitions, bool [n]."""
    return np.fromiter((bool(r.headers) and copied(r) is not None for r in records), dtype=np.bool_, count=len(records))


def _came(records: Sequence[Record]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when the broker took each of n records, and how far event time had come where it came, NEVER where that was here;
    int64 [n] both."""
    clock_ms = np.full(len(records), NEVER, dtype=np.int64)
    if not any(record.headers for record in records):  # as most are
        return np.fromiter((record.appended_ms for record in records), dtype=np.int64, count=len(records)), clock_ms
    for row, record in enumerate(records):
        origin = moved(record) if record.headers else None
        if origin is not None:
            clock_ms[row] = origin.clock_ms  # 0 before anything had come there: nothing is late then
    return np.fromiter(map(appended_ms, records), dtype=np.int64, count=len(records)), clock_ms


def _by_partition(records: Sequence[Record]) -> tuple[NDArray[np.int64], list[tuple[int, NDArray[np.int64]]]]:
    """Return the partitions of n records, int64 [n], and the rows of each, in their order."""
    of = np.fromiter((record.partition for record in records), dtype=np.int64, count=len(records))
    return of, [(int(partition), np.flatnonzero(of == partition)) for partition in np.unique(of)]
