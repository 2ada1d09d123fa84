"""From a finished run to the model store: the version's folder, and the serving document."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from features.base.events import RetrainRequest
from features.base.settings import Settings
from features.catalogue.vector import NAMES, vector_schema
from retrain.pipeline.report import Report
from retrain.training import onnx, reference
from retrain.training.dataset import Dataset
from retrain.training.evaluate import metrics
from serving.rollout import transitions
from serving.store import manifest as manifests
from serving.store.manifest import Manifest
from serving.store.model_store import MODEL_FILE, ModelStore, StaleGeneration, VersionExists

_ATTEMPTS = 5


def register_version(
    settings: Settings,
    *,
    run_id: str,
    request: RetrainRequest,
    state: Literal["registered", "rejected"],
    model: Path,
    evaluation: Report,
    data: Dataset,
    scratch: Path,
) -> Manifest:
    """Build the version's folder in ``scratch`` and move it into the store. A run that registered before gets its version back.

    Raises serving.store.model_store.StoreError where the store does not take it.
    """
    store = ModelStore.of(settings)
    for known in store.versions():
        if known.run_id == run_id:
            return known
    manifest = Manifest(
        model=settings.model,
        version=store.next_version(),
        created_at_ms=time.time_ns() // 1_000_000,
        schema=vector_schema(settings.features),
        features=list(NAMES),
        threshold=evaluation.candidate.threshold,
        sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
        train_start_ms=int(data.event_time_ms.min()),
        train_end_ms=int(data.event_time_ms.max()),
        rows=len(data),
        positives=int(data.positive.sum()),
        metrics=_metrics(evaluation),
        cause=request.cause,
        idempotency_key=request.idempotency_key,
        run_id=run_id,
        state=state,
    )
    for attempt in range(_ATTEMPTS):
        _build(scratch, manifest, model, evaluation, data, settings.training.seed)
        try:
            return store.add(scratch)
        except VersionExists:
            if attempt == _ATTEMPTS - 1:
                raise
            manifest = msgspec.structs.replace(manifest, version=store.next_version())
    raise AssertionError("unreachable")


def deploy_version(settings: Settings, version: str) -> tuple[Literal["promoted", "shadow"], str | None]:
    """Put ``version`` into the serving document; return its role and the champion before it.

    Raises StaleGeneration where others keep changing the document.
    """
    store = ModelStore.of(settings)
    for attempt in range(_ATTEMPTS):
        before = store.serving()
        after = transitions.on_registered(before, version, settings.training.shadow_transactions)
        try:
            if after is not before:
                store.write_serving(after, before.generation)
        except StaleGeneration:
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        previous = before.champion if before.champion != version else None
        return ("promoted" if after.champion == version else "shadow"), previous
    raise AssertionError("unreachable")


def _build(scratch: Path, manifest: Manifest, model: Path, evaluation: Report, data: Dataset, seed: int) -> None:
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    shutil.copyfile(model, scratch / MODEL_FILE)
    vectors = data.vectors[reference.choose(data.event_time_ms, np.random.default_rng(seed))]
    reference.write(vectors, onnx.score(model, vectors), scratch / "reference.parquet")
    (scratch / "evaluation.json").write_bytes(msgspec.json.format(msgspec.json.encode(evaluation), indent=2))
    (scratch / manifests.FILE_NAME).write_bytes(manifests.encode(manifest))


def _metrics(evaluation: Report) -> dict[str, float]:
    values = metrics(evaluation.candidate)
    if evaluation.champion is not None:
        values |= {
            f"champion_{name}": value
            for name, value in metrics(evaluation.champion).items()
            if name in ("ap", "roc_auc", "cost", "recall")
        }
    return values
