"""The topics: names, partitions and retention. Created by ``driftloop up``, never by a client's first use."""

from __future__ import annotations

from dataclasses import dataclass, field

from features.base.active import DOMAIN
from features.base.broker_names import named

EVENTS = named(DOMAIN.topic)
SCORES = named("scores")
ALERTS = named("alerts")
LABELS = named("labels")
OUTCOMES = named("outcomes")
DRIFT_REPORTS = named("drift-reports")
RETRAIN_REQUESTS = named("retrain-requests")
MODEL_EVENTS = named("model-events")
DLQ = named("dlq")
DLQ_HANDLED = named("dlq-handled")

#: Every topic of the loop, in the order in which the data walks.
NAMES = (EVENTS, SCORES, ALERTS, LABELS, OUTCOMES, DRIFT_REPORTS, RETRAIN_REQUESTS, MODEL_EVENTS, DLQ, DLQ_HANDLED)

#: What the broker takes as one record of ``dlq``; of the other topics, 1 MiB.
DLQ_MAX_BYTES = 4 * 1024 * 1024

#: Topics whose records are keyed by subject or counterpart and spread over the setting ``partitions``; the others have one.
SPREAD = frozenset({EVENTS, SCORES, ALERTS, LABELS, OUTCOMES})


@dataclass(frozen=True)
class Topic:
    """One topic and its settings at the broker."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


def all_topics(partitions: int) -> list[Topic]:
    """Return every topic of the loop; ``partitions``: of those that are spread. Retention is by size and time of arrival at the
    broker, not by event time: a replay of an old month must not be deleted as it is written."""
    keep = {"message.timestamp.type": "LogAppendTime", "retention.ms": str(365 * 86_400_000)}
    own = {DLQ: {"max.message.bytes": str(DLQ_MAX_BYTES)}}
    return [Topic(name, partitions if name in SPREAD else 1, keep | own.get(name, {})) for name in NAMES]
