"""What the topics hold at the end of a demo: read once, as a consumer of the loop would."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from numpy.typing import NDArray

from features.base import names
from features.base.events import NAMES_ON_THE_WIRE, DriftReport, ModelEvent, RetrainRequest, Score
from features.base.settings import Settings
from streams import topics
from streams.kafka.clients import consumer


class _Event(msgspec.Struct, gc=False, rename=NAMES_ON_THE_WIRE):
    event_id: str
    event_time_ms: int
    subject: str


class _Score(msgspec.Struct, gc=False):
    event: _Event
    decision: str
    score: float | None = None
    model_version: str | None = None


names.check_view(_Score, Score)


@dataclass
class Scores:
    """The scores topic in event-time order: n records. ``score`` is NaN and ``version`` empty where unscored, and
    where ``apart``: of a kind that no model judges."""

    event_id: NDArray[np.object_]
    subject: NDArray[np.object_]
    event_time_ms: NDArray[np.int64]
    score: NDArray[np.float64]
    alert: NDArray[np.bool_]
    version: NDArray[np.object_]
    apart: NDArray[np.bool_]


@dataclass
class Collected:
    """Counts of every topic, the scores, and the low-rate topics whole."""

    scores: Scores
    counts: dict[str, int]
    reports: list[DriftReport] = field(default_factory=list)
    requests: list[RetrainRequest] = field(default_factory=list)
    events: list[ModelEvent] = field(default_factory=list)


def collect(settings: Settings) -> Collected:
    """Read the topics to their ends (read_committed). Raises KafkaException where the broker fails."""
    decode = msgspec.json.Decoder(_Score).decode
    rows = [decode(m.value() or b"") for m in records(settings, topics.SCORES)]
    rows.sort(key=lambda s: s.event.event_time_ms)
    scores = Scores(
        np.array([s.event.event_id for s in rows], dtype=object),
        np.array([s.event.subject for s in rows], dtype=object),
        np.array([s.event.event_time_ms for s in rows], dtype=np.int64),
        np.array([np.nan if s.score is None else s.score for s in rows], dtype=np.float64),
        np.array([s.decision == "alert" for s in rows], dtype=np.bool_),
        np.array([s.model_version or "" for s in rows], dtype=object),
        np.array([s.decision == "apart" for s in rows], dtype=np.bool_),
    )
    counts = {topics.SCORES: len(rows)}
    for name in (topics.EVENTS, topics.ALERTS, topics.LABELS, topics.OUTCOMES, topics.DLQ):
        counts[name] = sum(1 for _ in records(settings, name))
    reports = [msgspec.json.decode(m.value() or b"", type=DriftReport) for m in records(settings, topics.DRIFT_REPORTS)]
    requests = [msgspec.json.decode(m.value() or b"", type=RetrainRequest) for m in records(settings, topics.RETRAIN_REQUESTS)]
    events = [msgspec.json.decode(m.value() or b"", type=ModelEvent) for m in records(settings, topics.MODEL_EVENTS)]
    return Collected(scores, counts, reports, requests, events)


def records(settings: Settings, topic: str) -> Iterator[Message]:
    """Yield every record of a topic, without the marks at the ends of partitions."""
    reader = consumer(settings, f"driftloop-demo-{uuid.uuid4().hex}", **{"session.timeout.ms": 45_000})
    try:
        partitions = reader.list_topics(topic, timeout=30).topics[topic].partitions
        reader.assign([TopicPartition(topic, p, 0) for p in partitions])
        unfinished = set(partitions)
        while unfinished:
            for message in reader.consume(10_000, 0.2):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    unfinished.discard(message.partition())
                else:
                    raise KafkaException(error)
    finally:
        reader.close()
