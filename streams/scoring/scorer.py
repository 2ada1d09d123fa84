"""The scorer: transactions in; scores, alerts and dead letters out, in one transactional hop.

Subject features come from the scorer's own state, owner and counterpart features from Feast's online store (one read a
micro-batch), the score from the model server (one call a micro-batch). With no champion yet, vectors are published unscored:
they are what the first model learns from. Events of another kind than the first (a refund) get their vector and no score.

Guarantee: exactly one score for each valid transaction, in the order of its partition (streams.engine.shell). Repeated
transactions are dropped, and those that contradict an earlier one or come from the future become dead letters
(streams.scoring.intake). The state is that of the log of ``transactions``, as it was processed, whatever the settings are by now
(streams.engine.settings_history): it is brought back from a snapshot and the log behind it (streams.engine.snapshot_schedule), or
from the log alone.
"""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN
from features.base.model_client import ModelClient, ModelRefused, ModelUnavailable, Prediction
from features.base.settings import Settings
from features.catalogue.vector import WIDTH, vector_schema
from features.online.cached_reader import Reader
from features.transform.columns import is_apart
from features.transform.fill import fill
from streams import topics
from streams.engine.core import Output, Wait
from streams.engine.homes import WHERE_THEY_LIE, Homes
from streams.engine.moved_counts import MovedCounts
from streams.engine.partitioner_setting import refuse_another
from streams.engine.settings_history import History, Limits
from streams.kafka.records import Partition, Record
from streams.scoring import fallback_rules, metrics
from streams.scoring.intake import Intake, IntakeLimits, Taken, admission
from streams.scoring.measures import Measures
from streams.scoring.partition_state import PartitionCopy, PartitionState
from streams.scoring.partition_version import version
from streams.scoring.score_records import Scored, count, score_records
from streams.wire.wire import Wire

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0
#: While rules score, the model server is asked again this often.
_ASK_AGAIN_S = 1.0


class Scorer:
    """The core. ``wait`` is how it waits for the model server until a shell says how (``streams.engine.core.Waits``); ``homes``:
    where records belong (without it, where they lie)."""

    name = "scorer"
    inputs: tuple[str, ...] = (topics.EVENTS,)
    #: To its own input it moves what lies in another partition than its subject's.
    outputs: tuple[str, ...] = (topics.SCORES, topics.ALERTS, topics.EVENTS, topics.DLQ)
    replays: tuple[str, ...] = (topics.EVENTS,)

    def __init__(
        self,
        settings: Settings,
        model: ModelClient,
        profiles: Reader,
        wait: Wait = time.sleep,
        homes: Homes = WHERE_THEY_LIE,
        wire: Wire | None = None,
    ) -> None:
        self._wait = wait
        self._model_name = settings.model
        self._scoring = settings.scoring
        self._subjects_a_step = settings.snapshots.subjects_a_step
        self._labels = settings.labels
        self._measure_limit, self._schema = settings.features.measure_limit, vector_schema(settings.features)
        self._model = model
        self._profiles = profiles
        self._state: dict[int, PartitionState] = defaultdict(self._new_state)
        self._reference = settings.units.reference
        own = Measures(settings), homes, wire
        self._intake = Intake(settings.scoring, lambda partition: self._state[partition].admission, *own)
        self._homes, self._moved = homes, MovedCounts(homes)
        self._ask_again_at = 0.0

    def process(self, records: Sequence[Record]) -> Output:
        """Score a micro-batch. Waits, with growing pauses, while the model server is away: nothing is lost or repeated."""
        taken, dead, repeated, astray = self._intake.take(records)
        output = Output(produce=dead, counted=[partial(metrics.DUPLICATES.inc, repeated)])
        if astray:
            output.produce += [self._homes.move(stray, self.name) for stray in astray]
            output.counted += self._moved.count(astray)
        if taken is None:
            return output
        batch, events = taken.columns, taken.events
        vectors, cold = self._vectors(taken)
        started = time.perf_counter()
        times = batch.event_time_ms
        read = self._profiles.read(batch.subject, [e.counterpart for e in events], times)
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
            taken.records,
            events,
            taken.bodies,
            batch.measure,
            taken.unknown,
            vectors,
            prediction,
            ages,
            read.degraded,
            taken.late,
            cold,
            profile_s,
            model_s,
            is_apart(events) if batch.kind.any() else None,
        )
        output.produce += score_records(scored, self._model_name, self._schema)
        output.counted.append(partial(count, scored))
        for partition, _ in taken.spread:
            metrics.STATE_BYTES.labels(partition).set(self._state[partition].nbytes)
            metrics.STATE_SUBJECTS.labels(partition).set(self._state[partition].subjects.subjects)
        return output

    def wait_with(self, wait: Wait) -> None:
        """Wait by ``wait`` from now on (``streams.engine.core.Waits``)."""
        self._wait = wait
        if self._intake.wire is not None:
            self._intake.wire.wait_with(wait)

    @property
    def waits_for(self) -> str:
        """Return what is waited for, where it has a name (``streams.engine.core.SaysWhy``)."""
        return self._intake.wire.waits_for if self._intake.wire is not None else ""

    def restore(self, records: Sequence[Record]) -> None:
        """Take transactions into the subject state again, without scoring."""
        for taken in self._intake.again(records):
            self._vectors(taken)

    @property
    def limits(self) -> Limits:
        """Return the limits of now (``streams.engine.settings_history.Limited``)."""
        return self._intake.limits

    def decided(self, partition: Partition, history: History) -> None:
        """Note by what limits a partition was processed so far (``streams.engine.settings_history.Limited``).

        Raises SettingsError where that was by another partitioner.
        """
        refuse_another(self._homes, (IntakeLimits(*limits).partitioner for _, limits in history), partition[0])
        self._intake.decided(partition, history)

    def forget(self, partitions: Sequence[Partition]) -> None:
        self._intake.forget(partitions)
        for _, partition in partitions:
            self._state.pop(partition, None)
            for gauge in (metrics.STATE_BYTES, metrics.STATE_SUBJECTS):
                with suppress(KeyError):
                    gauge.remove(partition)

    @property
    def state_version(self) -> str:
        """Return the name of the code that can go on with a snapshot (``streams.engine.core.Snapshotted``)."""
        return version() if self._reference == DOMAIN.reference_unit else f"{version()}-{self._reference}"

    def copy(self, partition: int) -> PartitionCopy:
        """Begin a copy of a partition's state (``streams.engine.core.Snapshotted``)."""
        return self._state[partition].copy(self._subjects_a_step)

    def load(self, partition: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over a partition's state from a snapshot (``streams.engine.core.Snapshotted``)."""
        self._state[partition].load(arrays)

    def begins_late(self, partition: int) -> None:
        """Note that part of a partition's history is missing (``streams.engine.core.Snapshotted``)."""
        self._state[partition].begins_late()

    def _new_state(self) -> PartitionState:
        return PartitionState(admission(self._scoring))

    def _vectors(self, taken: Taken) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Take the transactions into the subjects' state; return their vectors and whether each is cold."""
        batch = taken.columns
        if len(taken.spread) == 1:
            return self._state[taken.spread[0][0]].update(batch, self._measure_limit)
        vectors = np.empty((len(batch), WIDTH), dtype=np.float32)
        cold = np.empty(len(batch), dtype=np.bool_)
        for partition, rows in taken.spread:
            vectors[rows], cold[rows] = self._state[partition].update(batch.take(rows), self._measure_limit)
        return vectors, cold

    def _predict(self, vectors: NDArray[np.float32], event_time_ms: int) -> Prediction | None:
        """Ask until there is an answer, or, where rules may step in, until they do."""
        began = time.monotonic()
        by_rules = self._scoring.fallback == "rules"
        if by_rules and began < self._ask_again_at:
            return fallback_rules.predict(vectors)
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
                    return fallback_rules.predict(vectors)
                if pause == _FIRST_PAUSE_S:
                    log.warning("the stream waits for the model server: %s", error)
                self._wait(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                self._ask_again_at = 0.0
                return prediction
