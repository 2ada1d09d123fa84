"""The whole pipeline as the control starts it: a child process, Spark, Feast on a real Redis, Keras, ONNX, the model store."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from features.base.events import RetrainRequest
from features.base.settings import Settings, load
from features.catalogue.vector import NAMES, SCHEMA
from retrain.pipeline.result import Result, read_result
from serving.store.model_store import ModelStore
from tests.integration import synthetic_archive

pytestmark = pytest.mark.timeout(900)

DAYS = 40


@pytest.fixture(scope="module")
def loop(platform: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, int]:
    """A folder of its own (archive, Feast repository, models) on the shared Redis, and the newest event time in it."""
    from features.feast_repo.store import apply

    folder = tmp_path_factory.mktemp("pipeline")
    (folder / "driftloop.toml").write_text(f"[ports]\nredis = {platform.ports.redis}\n")
    settings = load(folder)
    apply(settings)
    return settings, synthetic_archive.write(settings, 12_000, DAYS)


def _run(settings: Settings, newest_ms: int, name: str, **environment: str) -> Result:
    run_dir = settings.runs / name
    run_dir.mkdir(parents=True)
    request = RetrainRequest(f"key-{name}", settings.model, "manual", newest_ms, reason="test")
    (run_dir / "request.json").write_bytes(msgspec.json.encode(request))
    command = [sys.executable, "-c", "from infra.cli.commands.pipeline import app; app()", "run"]
    arguments = ["--request", str(run_dir / "request.json"), "--run-dir", str(run_dir)]
    known = {**os.environ, "DRIFTLOOP_DIR": str(settings.dir), **environment}
    with (run_dir / "log").open("w") as log:
        subprocess.run([*command, *arguments], env=known, stdout=log, stderr=subprocess.STDOUT, check=False, timeout=600)
    result = read_result(run_dir)
    assert result is not None, (run_dir / "log").read_text()[-3000:]
    assert result.state != "failed", (result.reason, (run_dir / "log").read_text()[-3000:])
    return result


def test_the_first_model_is_served_at_once_and_a_worse_one_is_rejected(loop: tuple[Settings, int]) -> None:
    settings, newest_ms = loop
    store = ModelStore(settings.model_store, settings.model)

    first = _run(settings, newest_ms, "first")
    assert (first.state, first.version, first.serving, first.previous) == ("registered", "v1", "promoted", None)
    assert store.serving().champion == "v1"
    # Ten times what chance gives: most of the vector is noise here.
    assert (first.metrics["ap"] or 0.0) > 0.15
    assert set(first.seconds) == {"prepare", "features", "train", "evaluate", "gate", "register", "deploy", "total"}
    assert max(first.peak_rss_mb.values()) < 2048

    manifest = store.manifest("v1")
    assert (manifest.schema, manifest.features, manifest.state) == (SCHEMA, list(NAMES), "registered")
    assert manifest.train_end_ms == newest_ms
    reference = pq.read_table(store.path("v1") / "reference.parquet")
    assert reference.column_names == [*NAMES, "score"]
    assert all(np.isfinite(reference.column(name).to_numpy()).all() for name in reference.column_names)
    # The profiles were joined: some cards have a home by now.
    assert (reference.column("distance_from_home").to_numpy() >= 0).any()
    assert not (settings.runs / "first" / "tmp").exists()

    # One step on one epoch of frauds and hardly anything else: it cannot rank.
    hopeless = {"DRIFTLOOP_TRAINING__EPOCHS": "1", "DRIFTLOOP_TRAINING__MAX_ROWS": "1"}
    second = _run(settings, newest_ms, "second", **hopeless)
    assert (second.state, second.version, second.serving) == ("rejected", "v2", "none")
    assert "champion_ap" in second.metrics
    assert second.reason
    assert store.manifest("v2").state == "rejected"
    serving = store.serving()
    assert (serving.champion, serving.shadow) == ("v1", None)
