"""The scorer: transactions in; scores, alerts and dead letters out, in one transactional hop.

Card features come from the scorer's own state, customer and terminal features from Feast's online store (one read a
micro-batch), the score from the model server (one call a micro-batch). With no champion yet, vectors are published unscored:
they are what the first model learns from.

Guarantee: exactly one score for each valid transaction, in the order of its partition (streams.shell). The state is rebuilt
from the log of ``transactions``.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.card_state import CardState
from features.columns import Columns, from_transactions
from features.events import Alert, Decision, Score, Transaction
from features.formulas import HIGH
from features.prediction import ModelClient, ModelRefused, ModelUnavailable, Prediction
from features.profiles import fill
from features.reading import Reader
from features.settings import Features, Labels
from features.transform import update
from features.vector import INDEX, WIDTH, packed, unpacked
from streams import metrics, topics
from streams.codec import BatchDecoder, encode
from streams.core import Output, Produce, Record
from streams.reasons import reasons

log = logging.getLogger(__name__)

_RATIO, _ABOVE_LIMIT = INDEX["ratio_to_robust_mean"], INDEX["amount_above_limit"]
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0


class Scorer:
    """The core. ``state`` is one CardState a partition."""

    name = "scorer"
    inputs: tuple[str, ...] = (topics.TRANSACTIONS,)
    replays: tuple[str, ...] = (topics.TRANSACTIONS,)

    def __init__(
        self,
        model_name: str,
        model: ModelClient,
        profiles: Reader,
        labels: Labels,
        features: Features,
        stopping: threading.Event | None = None,
    ) -> None:
        self._model_name = model_name
        self._labels = labels
        self._amount_limit, self._schema = features.amount_limit, features.vector_schema
        self._model = model
        self._profiles = profiles
        self._stopping = stopping or threading.Event()
        self._decoder = BatchDecoder(Transaction, self.name)
        self._state: dict[int, CardState] = defaultdict(CardState)

    def process(self, records: Sequence[Record]) -> Output:
        """Score a micro-batch. Waits, with growing pauses, while the model server is away: nothing is lost or repeated."""
        good, events, dead = self._decoder.decode(records)
        if not events:
            return Output(produce=dead)
        batch = from_transactions(events)
        vectors = self._vectors([r.partition for r in good], batch)
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
        metrics.EVENT_TIME.labels(self.name).set(float(times.max()) / 1000)
        ages = [None if age < 0 else age for age in read.profiles.age_ms(times).tolist()]
        scores = _scores(self._model_name, self._schema, events, vectors, prediction, ages, read.degraded, profile_s, model_s)
        output = Output(produce=dead)
        for record, score in zip(good, scores, strict=True):
            key = score.transaction.card_id.encode()
            output.produce.append(Produce(topics.SCORES, key, encode(score), record.partition))
            if score.decision == "alert":
                output.produce.append(Produce(topics.ALERTS, key, encode(_alert(score)), record.partition))
        _count(scores)
        return output

    def restore(self, records: Sequence[Record]) -> None:
        """Take transactions into the card state again, without scoring."""
        good, events, _ = self._decoder.decode(records)
        if events:
            self._vectors([r.partition for r in good], from_transactions(events))

    def forget(self, partitions: Sequence[tuple[str, int]]) -> None:
        for _, partition in partitions:
            self._state.pop(partition, None)

    def _vectors(self, partitions: list[int], batch: Columns) -> NDArray[np.float32]:
        of = np.array(partitions)
        if (of == partitions[0]).all():
            return update(self._state[partitions[0]], batch, self._amount_limit)
        vectors = np.empty((len(batch), WIDTH), dtype=np.float32)
        for partition in dict.fromkeys(partitions):
            rows = np.flatnonzero(of == partition)
            vectors[rows] = update(self._state[partition], batch.take(rows), self._amount_limit)
        return vectors

    def _predict(self, vectors: NDArray[np.float32], event_time_ms: int) -> Prediction | None:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return self._model.predict(vectors, self._schema, event_time_ms)
            except (ModelUnavailable, ModelRefused) as error:
                metrics.MODEL_UNAVAILABLE.inc()
                if self._stopping.is_set():
                    raise  # the batch is not committed: the next start takes it again
                if pause == _FIRST_PAUSE_S:
                    log.warning("the stream waits for the model server: %s", error)
                self._stopping.wait(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, _LONGEST_PAUSE_S)


def _scores(
    model: str,
    schema: str,
    events: list[Transaction],
    vectors: NDArray[np.float32],
    prediction: Prediction | None,
    ages: list[int | None],
    degraded: bool,
    profile_s: float,
    model_s: float,
) -> list[Score]:
    now_ms = time.time_ns() // 1_000_000
    profile_ms, model_ms = round(profile_s * 1000, 3), round(model_s * 1000, 3)
    nothing: list[float | None] = [None] * len(events)
    values, shadow = nothing, nothing
    threshold = version = shadow_version = None
    if prediction is not None:
        threshold, version, shadow_version = prediction.threshold, prediction.version, prediction.shadow_version
        values = prediction.scores.astype(np.float64).tolist()
        if prediction.shadow_scores is not None:
            shadow = prediction.shadow_scores.astype(np.float64).tolist()
    data, starts = packed(vectors), range(0, 4 * WIDTH * len(events), 4 * WIDTH)
    unusual = ((vectors[:, _RATIO] > HIGH) | (vectors[:, _ABOVE_LIMIT] > 0)).tolist()
    return [
        Score(
            transaction=event,
            schema=schema,
            features=data[i : i + 4 * WIDTH],
            decision=_decide(value, threshold),
            score=value,
            threshold=threshold,
            model=None if version is None else model,
            model_version=version,
            shadow_score=other,
            shadow_version=shadow_version,
            unusual=odd,
            degraded=degraded,
            profile_age_ms=age,
            scored_at_ms=now_ms,
            profile_ms=profile_ms,
            model_ms=model_ms,
        )
        for event, i, odd, age, value, other in zip(events, starts, unusual, ages, values, shadow, strict=True)
    ]


def _decide(value: float | None, threshold: float | None) -> Decision:
    if value is None or threshold is None:
        return "unscored"
    return "alert" if value >= threshold else "approve"


def _alert(score: Score) -> Alert:
    assert score.score is not None
    assert score.threshold is not None
    codes, evidence = reasons(unpacked(score.features))
    return Alert(
        transaction=score.transaction,
        score=score.score,
        threshold=score.threshold,
        model=score.model or "",
        model_version=score.model_version or "",
        reasons=codes,
        evidence=evidence,
    )


def _count(scores: list[Score]) -> None:
    counts: dict[str, int] = defaultdict(int)
    for score in scores:
        counts[score.decision] += 1
        if score.score is not None:
            metrics.SCORE_VALUE.observe(score.score)
    for decision, count in counts.items():
        metrics.SCORES.labels(decision).inc(count)
    metrics.DEGRADED.inc(sum(s.degraded for s in scores))
