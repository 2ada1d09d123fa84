"""What the scorer takes of a batch of transactions: those that can be read, are new, and do not come from the future.

Decides for each partition by itself and is a pure function of its log, whatever the batches were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.columns import Columns, from_transactions
from features.events import Transaction
from features.settings import Scoring
from streams import lead
from streams.admission import CONFLICT, DUPLICATE, NEW, Admission
from streams.codec import BatchDecoder, encode
from streams.copied import copied
from streams.core import Produce, Record, dead_letter
from streams.hashing import digests

_HOUR_MS = 3_600_000
#: A verdict beside those of streams.admission: from the future.
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


def admission(scoring: Scoring) -> Admission:
    """That of a new partition."""
    return Admission(int(scoring.duplicate_horizon_hours * _HOUR_MS), int(scoring.allowed_lateness_hours * _HOUR_MS))


class Intake:
    """``admission_of`` gives the admission of a partition, which the records change."""

    def __init__(self, scoring: Scoring, admission_of: Callable[[int], Admission]) -> None:
        self._lead_ms = int(scoring.allowed_lead_hours * _HOUR_MS)
        self._admission_of = admission_of
        self._decoder = BatchDecoder(Transaction, _PROCESSOR)
        #: Of the batch that was taken last: how many transactions were dropped because they came before.
        self.repeated = 0

    def take(self, records: Sequence[Record], again: bool = False) -> tuple[Taken | None, list[Produce]]:
        """The transactions that are new, None where none is, and the dead letters: of those that cannot be read, contradict an
        earlier one, or come from the future. ``repeated`` says how many came before.

        ``again``: the records were processed before. Only then are copies what they say: a producer may set any header.
        """
        self.repeated = 0
        good, events, dead = self._decoder.decode(records)
        before = _taken_before(good) if again else np.zeros(len(good), dtype=np.bool_)
        return self._new(good, events, before, dead) if events else None, dead

    def _new(
        self, records: list[Record], events: list[Transaction], before: NDArray[np.bool_], dead: list[Produce]
    ) -> Taken | None:
        columns = from_transactions(events)
        ids = digests([e.transaction_id.encode() for e in events])[:, 0]
        bodies = list(map(encode, events))
        content = digests(bodies)[:, 0]
        cards = digests([card.encode() for card in columns.card])[:, 0]
        appended = np.array([record.appended_ms for record in records], dtype=np.int64)
        future = lead.ahead(columns.event_time_ms, appended, self._lead_ms) & ~before
        late = np.zeros(len(events), dtype=np.bool_)
        verdict = np.full(len(events), _AHEAD, dtype=np.int8)
        spread = _by_partition(records)
        for partition, every in spread:
            rows = every[~future[every]]
            verdict[rows], late[rows] = self._admission_of(partition).admit(
                ids[rows], content[rows], cards[rows], columns.event_time_ms[rows], before[rows]
            )
        if not verdict.any():
            return Taken(records, events, bodies, columns, spread, late)
        self.repeated = int((verdict == DUPLICATE).sum())
        for i in np.flatnonzero((verdict == CONFLICT) | (verdict == _AHEAD)).tolist():
            why = lead.reason(events[i].event_time_ms, records[i].appended_ms) if verdict[i] == _AHEAD else _conflict()
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
