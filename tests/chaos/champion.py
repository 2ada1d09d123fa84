"""The champion of the benchmarks, with the thresholds of this run's own history, and a reference for the drift monitor."""

from __future__ import annotations

from pathlib import Path

import msgspec
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.streams import champion
from features.base.settings import Settings
from features.catalogue.vector import NAMES
from features.domains.card_fraud.event import Payment
from features.history.state import SubjectState
from features.transform.columns import from_events
from features.transform.update import update
from streams.drift.references import StoredReferences

_REFERENCE = 5_000


def install(settings: Settings, folder: Path, seed: int, history: list[bytes]) -> None:
    """``benchmarks.streams.champion``, with weights from ``seed``; its threshold is taken from the ``history`` (JSON)."""
    events = [msgspec.json.decode(value, type=Payment) for value in history]
    champion.install(settings, folder, events, seed)
    vectors = update(SubjectState(), from_events(events[:_REFERENCE]), settings.features.measure_limit)
    model = StoredReferences(settings).path(champion.VERSION).with_name("model.onnx").read_bytes()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    scores = session.run(None, {"features": vectors})[0][:, 0]
    columns = {name: vectors[:, n] for n, name in enumerate(NAMES)}
    pq.write_table(pa.table({**columns, "score": scores}), StoredReferences(settings).path(champion.VERSION))
