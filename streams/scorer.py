"""The scorer: transactions in; scores, alerts and dead letters out, in one transactional hop.

Card features come from the scorer's own state, customer and terminal features from Feast's online store (one read a
micro-batch), the score from the model server (one call a micro-batch). With no champion yet, vectors are published unscored:
they are what the first model learns from.

Guarantee: exactly one score for each valid transaction, in the order of its partition (streams.shell). Repeated transactions are
dropped, and those that contradict an earlier one (streams.admission) or come from the future (streams.lead) become dead
letters. The state is that of the log of ``transactions``: it is brought back from a snapshot and the log behind it
(streams.keeper), or from the log alone.
"""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.columns import Columns, from_transactions
from features.events import Transaction
from features.prediction import ModelClient, ModelRefused, ModelUnavailable, Prediction
from features.profiles import fill
from features.reading import Reader
from features.settings import Settings
from features.state_version import state_version
from features.vector import WIDTH
from streams import lead, metrics, rules, topics
from streams.admission import CONFLICT, DUPLICATE, NEW
from streams.codec import BatchDecoder, encode
from streams.copied import copied
from streams.core import Output, Produce, Record, dead_letter
from streams.hashing import digests
from streams.lead import ahead
from streams.partition_state import PartitionCopy, PartitionState
from streams.score_records import Scored, score_records

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0
_HOUR_MS = 3_600_000
#: A verdict beside those of streams.admission: from the future.
_AHEAD = 3
#: While rules score, the model server is asked again this often.
_ASK_AGAIN_S = 1.0


class ConflictingTransaction(ValueError):
    """A transaction_id came again with another body."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """n new transactions. ``bodies``: their canonical JSON; ``spread``: each partition with its rows, in their order."""

    records: list[Record]
    events: list[Transaction]
    bodies: list[bytes]
    columns: Columns
    spread: list[tuple[int, NDArray[np.int64]]]
    late: NDArray[np.bool_]


class Scorer:
    """The core. ``wait`` is how it waits for the model server: it is handed seconds, and may raise to end the wait."""

    name = "scorer"
    inputs: tuple[str, ...] = (topics.TRANSACTIONS,)
    replays: tuple[str, ...] = (topics.TRANSACTIONS,)

    def __init__(
        self, settings: Settings, model: ModelClient, profiles: Reader, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self.wait = wait
        self._model_name = settings.model
        self._scoring = settings.scoring
        self._lead_ms = int(settings.scoring.allowed_lead_hours * _HOUR_MS)
        self._cards_a_step = settings.snapshots.cards_a_step
        self._labels = settings.labels
        self._amount_limit, self._schema = settings.features.amount_limit, settings.features.vector_schema
        self._model = model
        self._profiles = profiles
        self._decoder = BatchDecoder(Transaction, self.name)
        self._state: dict[int, PartitionState] = defaultdict(self._new_state)
        self._ask_again_at = 0.0

    def process(self, records: Sequence[Record]) -> Output:
        """Score a micro-batch. Waits, with growing pauses, while the model server is away: nothing is lost or repeated."""
        good, events, dead = self._decoder.decode(records)
        output = Output(produce=dead)
        taken = self._taken(good, events, from_transactions(events), dead)
        if taken is None:
            return output
        batch, events = taken.columns, taken.events
        vectors, cold = self._vectors(taken)
        started = time.perf_counter()
        times = batch.event_time_ms
        read = self._profiles.read(batch.card, [e.terminal_id for e in events], times)
        fill(vectors, batch, read.profiles, self._labels.delay_ms, self._labels.step_hours)
        profile_s = time.perf_counter() - started
        metrics.PROFILE_READ.observe(profile_s)
        started = time.perf_counter()
        prediction = self._predict(vectors, int(times.max()))
        model_s = time.perf_counter() - started
        metrics.MODEL_CALL.observe(model_s)
        output.newest_ms = int(times.max())
        ages = read.profiles.age_ms(times)
        scored = Scored(
            taken.records, events, taken.bodies, vectors, prediction, ages, read.degraded, taken.late, cold, profile_s, model_s
        )
        output.produce += score_records(scored, self._model_name, self._schema)
        for partition, _ in taken.spread:
            metrics.STATE_BYTES.labels(partition).set(self._state[partition].nbytes)
            metrics.STATE_CARDS.labels(partition).set(self._state[partition].cards.cards)
        return output

    def restore(self, records: Sequence[Record]) -> None:
        """Take transactions into the card state again, without scoring."""
        good, events, _ = self._decoder.decode(records)
        taken = self._taken(good, events, from_transactions(events), [])
        if taken is not None:
            self._vectors(taken)

    def forget(self, partitions: Sequence[tuple[str, int]]) -> None:
        for _, partition in partitions:
            self._state.pop(partition, None)

    @property
    def state_version(self) -> str:
        """See ``streams.core.Snapshotted``."""
        return state_version()

    def copy(self, partition: int) -> PartitionCopy:
        """See ``streams.core.Snapshotted``."""
        return self._state[partition].copy(self._cards_a_step)

    def load(self, partition: int, arrays: dict[str, NDArray[Any]]) -> None:
        """See ``streams.core.Snapshotted``."""
        self._state[partition].load(arrays)

    def begins_late(self, partition: int) -> None:
        """See ``streams.core.Snapshotted``."""
        self._state[partition].begins_late()

    def _new_state(self) -> PartitionState:
        scoring = self._scoring
        return PartitionState(int(scoring.duplicate_horizon_hours * _HOUR_MS), int(scoring.allowed_lateness_hours * _HOUR_MS))

    def _taken(self, records: list[Record], events: list[Transaction], columns: Columns, dead: list[Produce]) -> _Taken | None:
        """The transactions that are new, None where none is. Conflicting ones and those from the future become dead letters in
        ``dead``, repeated ones are counted."""
        if not events:
            return None
        ids = digests([e.transaction_id.encode() for e in events])[:, 0]
        bodies = list(map(encode, events))
        content = digests(bodies)[:, 0]
        cards = digests([card.encode() for card in columns.card])[:, 0]
        appended = np.array([record.appended_ms for record in records], dtype=np.int64)
        before = _taken_before(records)
        future = ahead(columns.event_time_ms, appended, self._lead_ms) & ~before
        late = np.zeros(len(events), dtype=np.bool_)
        verdict = np.full(len(events), _AHEAD, dtype=np.int8)
        spread = _by_partition(records)
        for partition, every in spread:
            rows = every[~future[every]]
            verdict[rows], late[rows] = self._state[partition].admission.admit(
                ids[rows], content[rows], cards[rows], columns.event_time_ms[rows], before[rows]
            )
        if not verdict.any():
            return _Taken(records, events, bodies, columns, spread, late)
        metrics.DUPLICATES.inc(int((verdict == DUPLICATE).sum()))
        for i in np.flatnonzero((verdict == CONFLICT) | (verdict == _AHEAD)).tolist():
            why = lead.reason(events[i].event_time_ms, records[i].appended_ms) if verdict[i] == _AHEAD else _conflict()
            dead.append(dead_letter(records[i], self.name, why))
            metrics.DLQ.labels(self.name, type(why).__name__).inc()
        kept = np.flatnonzero(verdict == NEW)
        if not len(kept):
            return None
        records = [records[i] for i in kept.tolist()]
        return _Taken(
            records,
            [events[i] for i in kept.tolist()],
            [bodies[i] for i in kept.tolist()],
            columns.take(kept),
            _by_partition(records),
            late[kept],
        )

    def _vectors(self, taken: _Taken) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Take the transactions into the cards' state; return their vectors and whether each is cold."""
        batch = taken.columns
        if len(taken.spread) == 1:
            return self._state[taken.spread[0][0]].update(batch, self._amount_limit)
        vectors = np.empty((len(batch), WIDTH), dtype=np.float32)
        cold = np.empty(len(batch), dtype=np.bool_)
        for partition, rows in taken.spread:
            vectors[rows], cold[rows] = self._state[partition].update(batch.take(rows), self._amount_limit)
        return vectors, cold

    def _predict(self, vectors: NDArray[np.float32], event_time_ms: int) -> Prediction | None:
        """Ask until there is an answer, or, where rules may step in, until they do."""
        began = time.monotonic()
        by_rules = self._scoring.fallback == "rules"
        if by_rules and began < self._ask_again_at:
            return rules.predict(vectors)
        pause = _FIRST_PAUSE_S
        while True:
            try:
                prediction = self._model.predict(vectors, self._schema, event_time_ms)
            except (ModelUnavailable, ModelRefused) as error:
                metrics.MODEL_UNAVAILABLE.inc()
                waited = time.monotonic() - began
                if by_rules and (self._ask_again_at > 0 or waited >= self._scoring.fallback_after_s):
                    log.warning("rules score, the model server does not: %s", error)
                    self._ask_again_at = time.monotonic() + _ASK_AGAIN_S
                    return rules.predict(vectors)
                if pause == _FIRST_PAUSE_S:
                    log.warning("the stream waits for the model server: %s", error)
                self.wait(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                self._ask_again_at = 0.0
                return prediction


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
