from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.base.events import RetrainRequest
from features.base.settings import Settings
from features.catalogue.vector import NAMES, WIDTH
from retrain.pipeline.register import deploy_version, register_version
from retrain.pipeline.report import Report
from retrain.training import onnx
from retrain.training.dataset import Dataset
from retrain.training.evaluate import evaluate
from serving.store.manifest import Manifest
from serving.store.model_store import ModelStore
from tests.unit.serving.tiny_models import onnx_bytes

ROOT = Path(__file__).parents[4]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(dir=tmp_path)


def _register(settings: Settings, run_id: str) -> Manifest:
    rng = np.random.default_rng(1)
    n = 300
    data = Dataset(
        rng.random((n, WIDTH)).astype(np.float32),
        np.arange(n, dtype=np.int64),
        np.full(n, 100, dtype=np.int64),
        rng.random(n) < 0.1,
        np.ones(n, bool),
        np.zeros(n, np.uint32),
    )
    model = settings.dir / "model.onnx"
    model.write_bytes(onnx_bytes())
    judged = evaluate(onnx.score(model, data.vectors), data.positive, data.measure, 0.1, 5.0)
    return register_version(
        settings,
        run_id=run_id,
        request=RetrainRequest("key", "fraud", "manual", 1_735_689_600_000),
        state="registered",
        model=model,
        evaluation=Report(0, 300, 200, 300, 0.5, judged),
        data=data,
        scratch=settings.dir / "scratch",
    )


def test_a_run_registers_once(settings: Settings) -> None:
    first = _register(settings, "r1")
    assert (first.version, _register(settings, "r1").version, _register(settings, "r2").version) == ("v1", "v1", "v2")
    folder = ModelStore(settings.model_store).path("v1")
    assert pq.read_table(folder / "reference.parquet").column_names == [*NAMES, "score"]
    assert (folder / "evaluation.json").exists()


def test_the_first_is_promoted_and_the_next_goes_into_shadow(settings: Settings) -> None:
    for run in ("r1", "r2"):
        _register(settings, run)
    assert deploy_version(settings, "v1") == ("promoted", None)
    assert deploy_version(settings, "v2") == ("shadow", "v1")
    # Again: a retry changes nothing.
    assert deploy_version(settings, "v2") == ("shadow", "v1")
    document = ModelStore(settings.model_store).serving()
    assert (document.generation, document.champion, document.shadow) == (2, "v1", "v2")
    assert document.shadow_transactions == settings.training.shadow_transactions


def test_nothing_else_adds_versions_to_the_store() -> None:
    """``ModelStore.add`` is the only way in."""
    adding = set()
    for path in (path for room in ("features", "streams", "serving", "retrain", "infra") for path in (ROOT / room).rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        knows = any(isinstance(node, ast.ImportFrom) and "ModelStore" in [name.name for name in node.names] for node in nodes)
        if knows and any(isinstance(node, ast.Attribute) and node.attr == "add" for node in nodes):
            adding.add(str(path.relative_to(ROOT)))
    assert adding == {"retrain/pipeline/register.py"}
