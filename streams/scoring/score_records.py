"""A scored micro-batch as records: a score each, and alerts. The hot path's last step, so it avoids what it can.

A transaction's JSON was made when it was compared with earlier ones (``streams.scoring.admission.admission``) and goes into its
score as it is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN
from features.base.events import Alert, Decision, Event, Score
from features.base.model_client import Prediction
from features.catalogue.vector import INDEX, WIDTH, packed
from streams import topics
from streams.engine.codec import encode
from streams.kafka.records import Produce, Record
from streams.scoring import fallback_rules, metrics
from streams.scoring.reason_codes import reasons

_UNUSUAL = [(INDEX[reach.column], np.float32(reach.value)) for reach in DOMAIN.unusual]
_VECTOR_BYTES = 4 * WIDTH


class WireScore(msgspec.Struct, gc=False):
    """``features.base.events.Score``, field by field, with the transaction as the JSON that it is already."""

    event: msgspec.Raw
    subject: str
    schema: str
    features: bytes
    decision: Decision
    score: float | None
    threshold: float | None
    model: str | None
    model_version: str | None
    shadow_score: float | None
    shadow_version: str | None
    unusual: bool | None
    degraded: bool
    late: bool
    cold: bool
    profile_age_ms: int | None
    scored_at_ms: int
    model_ms: float
    profile_ms: float
    reference_measure: int | None
    measure_unknown: bool


assert WireScore.__struct_fields__ == Score.__struct_fields__


@dataclass(frozen=True, slots=True)
class Scored:
    """n transactions and what is known of them. ``bodies``: their canonical JSON; ``measure``: in parts of the reference unit.
    ``prediction`` None: no champion yet. ``apart``: which are of a kind that no model judges, None where none is."""

    records: Sequence[Record]
    events: Sequence[Event]
    bodies: Sequence[bytes]
    measure: NDArray[np.int64]
    unknown: NDArray[np.bool_]
    vectors: NDArray[np.float32]
    prediction: Prediction | None
    ages_ms: NDArray[np.int64]
    degraded: bool
    late: NDArray[np.bool_]
    cold: NDArray[np.bool_]
    profile_s: float
    model_s: float
    apart: NDArray[np.bool_] | None = None


def score_records(batch: Scored, model: str, schema: str) -> list[Produce]:
    """Return one score a transaction, on its own partition, and an alert behind each that reaches the threshold."""
    n = len(batch.events)
    now_ms = time.time_ns() // 1_000_000
    profile_ms, model_ms = round(batch.profile_s * 1000, 3), round(batch.model_s * 1000, 3)
    nothing: list[float | None] = [None] * n
    values, shadow = nothing, nothing
    alerting = np.zeros(n, dtype=np.bool_)
    threshold: float | None = None
    name = version = shadow_version = None
    degraded, prediction = batch.degraded, batch.prediction
    if prediction is not None:
        name, version, shadow_version, threshold = model, prediction.version, prediction.shadow_version, prediction.threshold
        if version == fallback_rules.VERSION:
            name, degraded = fallback_rules.NAME, True
        scores = prediction.scores.astype(np.float64)
        alerting = scores >= prediction.threshold
        values = scores.tolist()
        if prediction.shadow_scores is not None:
            shadow = prediction.shadow_scores.astype(np.float64).tolist()
    of_other_kinds = None
    if batch.apart is not None:
        alerting &= ~batch.apart
        of_other_kinds = batch.apart.tolist()
    data = packed(batch.vectors)
    unusual = np.logical_or.reduce([batch.vectors[:, column] > value for column, value in _UNUSUAL]).tolist()
    quiet: Decision = "unscored" if prediction is None else "pass"
    produce: list[Produce] = []
    at = 0
    raw = msgspec.Raw
    for record, event, body, value, other, alert, odd, behind, lost, age, measure, unknown in zip(
        batch.records,
        batch.events,
        batch.bodies,
        values,
        shadow,
        alerting.tolist(),
        unusual,
        batch.late.tolist(),
        batch.cold.tolist(),
        batch.ages_ms.tolist(),
        batch.measure.tolist(),
        batch.unknown.tolist(),
        strict=True,
    ):
        key = event.subject.encode()
        score = WireScore(
            raw(body),
            event.subject,
            schema,
            data[at : at + _VECTOR_BYTES],
            "alert" if alert else quiet,
            value,
            threshold,
            name,
            version,
            other,
            shadow_version,
            odd,
            degraded,
            behind,
            lost,
            None if age < 0 else age,
            now_ms,
            model_ms,
            profile_ms,
            None if unknown else measure,
            unknown,
        )
        if of_other_kinds is not None and of_other_kinds[at // _VECTOR_BYTES]:
            score = _unjudged(score)
        produce.append(Produce(topics.SCORES, key, encode(score), record.partition))
        if alert and prediction is not None:
            made = _alert(event, batch.vectors[at // _VECTOR_BYTES], float(value or 0.0), prediction, name or "")
            produce.append(Produce(topics.ALERTS, key, encode(made), record.partition))
        at += _VECTOR_BYTES
    return produce


def _unjudged(score: WireScore) -> WireScore:
    """Take the model's answer off the score of an event of another kind: it learned from none of those."""
    nothing = dict.fromkeys(("score", "threshold", "model", "model_version", "shadow_score", "shadow_version", "unusual"))
    return msgspec.structs.replace(score, decision="apart", **nothing)


def _alert(event: Event, vector: NDArray[np.float32], score: float, prediction: Prediction, model: str) -> Alert:
    codes, evidence = reasons(vector)
    return Alert(event, event.subject, score, prediction.threshold, model, prediction.version, codes, evidence)


def count(batch: Scored) -> None:
    """Put them on the metrics page."""
    n, prediction, degraded = len(batch.events), batch.prediction, batch.degraded
    judged = n
    if batch.apart is not None:
        judged -= int(batch.apart.sum())
        metrics.SCORES.labels("apart").inc(n - judged)
    if prediction is None:
        metrics.SCORES.labels("unscored").inc(judged)
    else:
        scores = prediction.scores.astype(np.float64)
        scores = scores if batch.apart is None else scores[~batch.apart]
        alerts = int((scores >= prediction.threshold).sum())
        metrics.SCORES.labels("alert").inc(alerts)
        metrics.SCORES.labels("pass").inc(judged - alerts)
        metrics.SCORE_VALUE.observe(scores)
        degraded |= prediction.version == fallback_rules.VERSION
    metrics.DEGRADED.inc(n * degraded)
    metrics.LATE.inc(int(batch.late.sum()))
    metrics.COLD.inc(int(batch.cold.sum()))
