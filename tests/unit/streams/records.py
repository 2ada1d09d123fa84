"""Events as Kafka records, for the tests of cores."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from features.base.events import Decision, Label, Outcome, Score, Transaction
from features.catalogue.vector import SCHEMA, WIDTH, packed
from streams.kafka.records import Record

T0 = 1_520_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR


def record(topic: str, offset: int, event: msgspec.Struct | bytes, partition: int = 0) -> Record:
    value = event if isinstance(event, bytes) else msgspec.json.encode(event)
    return Record(topic, partition, offset, b"key", value)


def score(
    transaction_id: str, time: int, card: str = "c", terminal: str = "t", value: float | None = 0.25, first_feature: float = 0.0
) -> Score:
    transaction = Transaction(transaction_id, time, card, terminal, 1234, latitude=1.5, entry_mode="chip", pin_used=True)
    features = packed(np.array([first_feature] + [0.5] * (WIDTH - 1), dtype=np.float32))
    decision: Decision = "unscored" if value is None else "approve"
    return Score(transaction, SCHEMA, features, decision, score=value, threshold=0.9, model_version="v1")


def label(transaction_id: str, time: int, is_fraud: bool, at: int, card: str = "c", terminal: str = "t") -> Label:
    return Label(transaction_id, card, terminal, time, is_fraud, at)


def ahead(offset: int, transaction_id: str = "x", field: str = "label_time_ms", by: int = DAY) -> Record:
    """A fraud label of which one time lies so far ahead of the broker's clock, which shows T0."""
    dated = msgspec.structs.replace(label(transaction_id, T0, True, T0), **{field: T0 + by})
    return msgspec.structs.replace(record("labels", offset, dated), appended_ms=T0)


def outcomes(values: Sequence[bytes]) -> list[Outcome]:
    return [msgspec.json.decode(value, type=Outcome) for value in values]
