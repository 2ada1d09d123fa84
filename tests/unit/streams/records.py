"""Events as Kafka records, for the tests of cores."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from features.base.events import Decision, Label, Outcome, Score
from features.catalogue.vector import SCHEMA, WIDTH, packed
from features.domains.card_fraud.event import Payment
from streams.kafka.records import Record

T0 = 1_520_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR


def record(topic: str, offset: int, event: msgspec.Struct | bytes, partition: int = 0) -> Record:
    value = event if isinstance(event, bytes) else msgspec.json.encode(event)
    return Record(topic, partition, offset, b"key", value)


def score(
    event_id: str, time: int, subject: str = "c", counterpart: str = "t", value: float | None = 0.25, first_feature: float = 0.0
) -> Score:
    transaction = Payment(event_id, time, subject, counterpart, 1234, latitude=1.5, mode="chip", flag=True)
    features = packed(np.array([first_feature] + [0.5] * (WIDTH - 1), dtype=np.float32))
    decision: Decision = "unscored" if value is None else "pass"
    return Score(transaction, transaction.subject, SCHEMA, features, decision, score=value, threshold=0.9, model_version="v1")


def label(event_id: str, time: int, positive: bool, at: int, subject: str = "c", counterpart: str = "t") -> Label:
    return Label(event_id, subject, counterpart, time, positive, at)


def ahead(offset: int, event_id: str = "x", field: str = "label_time_ms", by: int = DAY) -> Record:
    """A fraud label of which one time lies so far ahead of the broker's clock, which shows T0."""
    dated = msgspec.structs.replace(label(event_id, T0, True, T0), **{field: T0 + by})
    return msgspec.structs.replace(record("labels", offset, dated), appended_ms=T0)


def outcomes(values: Sequence[bytes]) -> list[Outcome]:
    return [msgspec.json.decode(value, type=Outcome) for value in values]
