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

from features.base.durations import HOUR_MS
from features.base.events import Transaction
from features.base.settings import Scoring
from features.transform.columns import Columns, from_transactions
from streams.engine.codec import BatchDecoder, encode
from streams.engine.core import dead_letter
from streams.engine.future import ahead, reason
from streams.engine.repartition_header import copied
from streams.engine.settings_history import History, by_limits
from streams.kafka.records import Produce, Record
from streams.scoring.admission.admission import CONFLICT, DUPLICATE, NEW, Admission
from streams.scoring.admission.digests import digests

#: A verdict beside those of streams.scoring.admission.admission: from the future.
_AHEAD = 3
_PROCESSOR = "scorer"


class ConflictingTransaction(ValueError):
    """A transaction_id came again with another body."""


@dataclass(frozen=True, slots=True)
class Taken:
    """n new transactions. ``bodies``: their canonical JSON; ``spread``: each partition with its rows, in their order."""

    records: list[Record]
    events: list[Transaction]
    bodies: list[bytes]
    columns: Columns
    spread: list[tuple[int, NDArray[np.int64]]]
    late: NDArray[np.bool_]


class IntakeLimits(NamedTuple):
    """See the settings ``scoring.duplicate_horizon_hours``, ``allowed_lateness_hours`` and ``allowed_lead_hours``."""

    horizon_ms: int
    lateness_ms: int
    lead_ms: int


def limits_of(scoring: Scoring) -> IntakeLimits:
    """Those that the settings say."""
    hours = scoring.duplicate_horizon_hours, scoring.allowed_lateness_hours, scoring.allowed_lead_hours
    return IntakeLimits(*(int(number * HOUR_MS) for number in hours))


def admission(scoring: Scoring) -> Admission:
    """That of a new partition."""
    limits = limits_of(scoring)
    return Admission(limits.horizon_ms, limits.lateness_ms)


class Intake:
    """``admission_of`` gives the admission of a partition, which the records change."""

    def __init__(self, scoring: Scoring, admission_of: Callable[[int], Admission]) -> None:
        self.limits = limits_of(scoring)
        self._histories: dict[tuple[str, int], History] = {}
        self._admission_of = admission_of
        self._decoder = BatchDecoder(Transaction, _PROCESSOR)
        #: Of the batch that was taken last: how many transactions were dropped because they came before.
        self.repeated = 0

    def take(self, records: Sequence[Record]) -> tuple[Taken | None, list[Produce]]:
        """The transactions that are new, None where none is, and the dead letters: of those that cannot be read, contradict an
        earlier one, or come from the future. ``repeated`` says how many came before.
        """
        self.repeated = 0
        good, events, dead = self._decoder.decode(records)
        before = np.zeros(len(good), dtype=np.bool_)
        return self._new(good, events, before, dead, {}) if events else None, dead

    def decided(self, partition: tuple[str, int], history: History) -> None:
        """By what limits the partition was processed so far (``streams.engine.settings_history``)."""
        self._histories[partition] = history

    def again(self, records: Sequence[Record]) -> Iterator[Taken]:
        """Of records that were processed before, those that were taken then, in parts.

        Only here are copies what they say: a producer may set any header.
        """
        for part, limits in by_limits(records, self._histories):
            good, events, dead = self._decoder.decode(part)
            of_then = {number: IntakeLimits(*found) for (_, number), found in limits.items()}
            taken = self._new(good, events, _taken_before(good), dead, of_then) if events else None
            if taken is not None:
                yield taken

    def _new(
        self,
        records: list[Record],
        events: list[Transaction],
        before: NDArray[np.bool_],
        dead: list[Produce],
        of_then: Mapping[int, IntakeLimits],
    ) -> Taken | None:
        """``of_then``: by partition, the limits where they are not those of now."""
        columns = from_transactions(events)
        ids = digests([e.transaction_id.encode() for e in events])[:, 0]
        bodies = list(map(encode, events))
        content = digests(bodies)[:, 0]
        cards = digests([card.encode() for card in columns.card])[:, 0]
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
                ids[rows], content[rows], cards[rows], columns.event_time_ms[rows], before[rows]
            )
        if not verdict.any():
            return Taken(records, events, bodies, columns, spread, late)
        self.repeated = int((verdict == DUPLICATE).sum())
        for i in np.flatnonzero((verdict == CONFLICT) | (verdict == _AHEAD)).tolist():
            why = reason(events[i].event_time_ms, records[i].appended_ms) if verdict[i] == _AHEAD else _conflict()
            dead.append(dead_letter(records[i], _PROCESSOR, why))
        kept = np.flatnonzero(verdict == NEW)
        if not len(kept):
            return None
        records = [records[i] for i in kept.tolist()]
        return Taken(
            records,
            [events[i] for i in kept.tolist()],
            [bodies[i] for i in kept.tolist()],
            columns.take(kept),
            _by_partition(records),
            late[kept],
        )


def _conflict() -> ConflictingTransaction:
    return ConflictingTransaction(
        "a transaction with this transaction_id and another body came before; give each transaction an id of its own"
    )


def _taken_before(records: Sequence[Record]) -> NDArray[np.bool_]:
    """Which of n records were taken in a log of other partitions, bool [n]."""
    return np.fromiter((bool(r.headers) and copied(r) is not None for r in records), dtype=np.bool_, count=len(records))


def _by_partition(records: Sequence[Record]) -> list[tuple[int, NDArray[np.int64]]]:
    """The rows of each partition, in their order."""
    of = np.array([record.partition for record in records])
    return [(int(partition), np.flatnonzero(of == partition)) for partition in np.unique(of)]
