"""evaluation.json: the candidate and the champion on the same events, and what the gate says of them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from features.base.settings import Settings
from features.catalogue.vector import vector_schema
from retrain.pipeline.window import Window
from retrain.training import gate, onnx
from retrain.training.dataset import Dataset
from retrain.training.evaluate import Evaluation, evaluate


class Report(msgspec.Struct, frozen=True):
    """Times are event time in ms. ``champion`` is None where there was none that reads the same vectors."""

    train_start_ms: int
    train_end_ms: int
    holdout_start_ms: int
    holdout_end_ms: int
    holdout_subjects: float
    candidate: Evaluation
    champion_version: str | None = None
    champion: Evaluation | None = None


def judge(settings: Settings, holdout: Dataset, model: Path, holdout_start_ms: int, window: Window) -> Report:
    """Score ``holdout`` with the candidate and with the champion of the serving document, if there is one."""
    from serving.store.model_store import ModelStore

    options = settings.training
    candidate = evaluate(
        onnx.score(model, holdout.vectors), holdout.positive, holdout.measure, options.review_budget, options.review_cost
    )
    store = ModelStore.of(settings)
    version = store.serving().champion
    champion = None
    if version is not None and store.manifest(version).schema == vector_schema(settings.features):
        scores = onnx.score(store.path(version) / "model.onnx", holdout.vectors)
        champion = evaluate(
            scores,
            holdout.positive,
            holdout.measure,
            options.review_budget,
            options.review_cost,
            store.manifest(version).threshold,
        )
    return Report(
        train_start_ms=window.start_ms,
        train_end_ms=window.end_ms,
        holdout_start_ms=holdout_start_ms,
        holdout_end_ms=window.settled_ms,
        holdout_subjects=options.holdout_subjects,
        candidate=candidate,
        champion_version=version if champion is not None else None,
        champion=champion,
    )


def verdict(settings: Settings, report: Report) -> gate.Verdict:
    """Return what the gate says of ``report``."""
    limits = gate.Limits(settings.training.max_ap_loss, settings.training.min_holdout_positives)
    return gate.gate(report.candidate, report.champion, limits)


def read(path: Path) -> Report:
    """Read the report in ``path``."""
    return msgspec.json.decode(path.read_bytes(), type=Report)
