"""The scorer, with a model in onnxruntime and an online store that holds no profiles.

The suite's partition of a card is not the platform's, so that half of the cards' records come elsewhere and are moved.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.base.events import DeadLetter, Score
from features.base.model_client import Prediction
from features.base.settings import Settings
from features.domains.card_fraud.event import Payment
from features.online.cached_reader import Reader
from features.transform.profiles import Profiles, unknown
from serving.server.onnx_model import OnnxModel
from streams import topics
from streams.engine.partitioner_setting import homes_of
from streams.kafka.records import Record
from streams.scoring.scorer import Scorer
from tests.contracts.processors.contract import HOUR, T0, Contract, partition_of
from tests.unit.serving.tiny_models import make_manifest, onnx_bytes

_encode = msgspec.json.encode
#: The median of a vector's mean here: some scores reach the threshold.
_BIAS = -400.0


class InProcess:
    """Asks onnxruntime itself, without a server between."""

    def __init__(self) -> None:
        data = onnx_bytes(bias=_BIAS)
        self._model = OnnxModel(make_manifest("v1", data), data)

    def predict(self, vectors: NDArray[np.float32], schema: str, event_time_ms: int) -> Prediction | None:
        return Prediction(self._model.predict(vectors), self._model.manifest.threshold, self._model.version)

    def close(self) -> None:
        """Nothing is held open."""


class Empty:
    """An online store before its first row."""

    def read(self, subjects: Sequence[str], counterparts: Sequence[str]) -> Profiles:
        none = np.zeros(len(counterparts), dtype=np.int64)
        return dataclasses.replace(unknown(len(subjects)), begin=none, end=none, counterpart_ts_ms=none)


def make(settings: Settings) -> Scorer:
    return Scorer(settings, InProcess(), Reader(Empty()), homes=homes_of(settings))


def patient_with_small_steps(settings: Settings) -> Settings:
    """A copy takes several steps. What is moved is not late, and known, however long it takes."""
    scoring = settings.scoring.model_copy(update={"allowed_lateness_hours": 1000.0, "duplicate_horizon_hours": 1000.0})
    snapshots = settings.snapshots.model_copy(update={"subjects_a_step": 2})
    return settings.model_copy(update={"snapshots": snapshots, "scoring": scoring})


def records() -> list[Record]:
    """Payments of twenty cards over ten days, a little out of order; some come twice, some under an id that was used before."""
    rng = np.random.default_rng(1)
    records = []
    for i in range(240):
        subject, at = f"c{rng.integers(20)}", T0 + i * HOUR + int(rng.integers(2 * HOUR))
        amount = int(rng.lognormal(7, 1))
        event = Payment(f"t{i}", at, subject, f"m{rng.integers(9)}", amount, mode="chip", flag=True)
        records.append(_record(event))
        if i % 17 == 0:
            records.append(_record(event))
        if i % 40 == 20:
            records.append(_record(msgspec.structs.replace(event, measure=amount + 1)))
    return records


def _record(event: Payment) -> Record:
    key = event.subject.encode() if event.subject != "c3" else None
    return Record(topics.EVENTS, partition_of(event.subject), 0, key, _encode(event))


def says(topic: str, value: bytes) -> object:
    """A score without what clocks say of it; a letter without the place in the log of what was moved."""
    if topic == topics.DLQ:
        letter = msgspec.json.decode(value, type=DeadLetter)
        return msgspec.structs.replace(letter, offset=0, headers=[]) if letter.headers else letter
    if topic != topics.SCORES:
        return value
    return msgspec.structs.replace(msgspec.json.decode(value, type=Score), scored_at_ms=0, model_ms=0.0, profile_ms=0.0)


CONTRACT = Contract(make, records, says, settings=patient_with_small_steps, ordered=True)
