from __future__ import annotations

from pathlib import Path

import pytest

from serving.rollout import transitions
from serving.server.engine import Engine
from serving.server.reconciler import RETRY_S, Reconciler
from serving.store.document import ServingDocument, encode
from serving.store.model_store import ModelStore
from tests.unit.serving.tiny_models import make_manifest, onnx_bytes, version_folder


class Bench:
    """A store, an engine and a reconciler whose clock stands still unless it is moved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds = 0.0
        self.store = ModelStore(folder / "models")
        self.engine = Engine()
        self.reconciler = Reconciler(self.store, self.engine, clock=lambda: self.seconds)

    def add(self, version: str, data: bytes | None = None, schema: str | None = None) -> None:
        data = onnx_bytes() if data is None else data
        manifest = make_manifest(version, data) if schema is None else make_manifest(version, data, schema=schema)
        self.store.add(version_folder(self.folder / version, version, data, manifest))

    def serve(self, champion: str | None, shadow: str | None = None) -> None:
        generation = self.store.serving().generation
        document = ServingDocument(
            generation=generation + 1, champion=champion, shadow=shadow, shadow_transactions=1 if shadow else 0
        )
        self.store.write_serving(document, generation)
        self.reconciler.step()

    def served(self) -> tuple[int, str | None, str | None]:
        status = self.engine.status()
        return status.generation, status.champion, status.shadow


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_nothing_to_serve_is_no_error(bench: Bench) -> None:
    bench.reconciler.step()
    assert bench.served() == (0, None, None)
    assert bench.engine.error is None


def test_it_follows_the_document(bench: Bench) -> None:
    bench.add("v1")
    bench.add("v2")
    bench.serve("v1")
    assert bench.served() == (1, "v1", None)
    bench.serve("v1", "v2")
    assert bench.served() == (2, "v1", "v2")
    shadow = bench.engine.loaded.shadow
    bench.store.write_serving(transitions.on_shadow_progress(bench.store.serving(), 1), 2)
    bench.reconciler.step()
    assert bench.served() == (3, "v2", None)
    # The promoted version is the very one that ran in shadow: nothing is loaded twice.
    assert bench.engine.loaded.champion is shadow


def test_it_may_sleep_through_changes(bench: Bench) -> None:
    for version in ("v1", "v2", "v3"):
        bench.add(version)
        document = transitions.on_registered(bench.store.serving(), version, 0)
        bench.store.write_serving(document, document.generation - 1)
    bench.reconciler.step()
    assert bench.served() == (3, "v3", None)


@pytest.mark.parametrize("data", [b"no onnx", onnx_bytes(width=3), onnx_bytes(output="other")])
def test_a_broken_version_is_refused_and_the_old_one_stays(bench: Bench, data: bytes) -> None:
    bench.add("v1")
    bench.serve("v1")
    bench.add("v2", data)
    bench.serve("v2")
    assert bench.served() == (2, "v1", None)
    assert bench.engine.error is not None
    assert "model.onnx of v2 is refused" in bench.engine.error
    bench.serve("v1")
    assert bench.served() == (3, "v1", None)
    assert bench.engine.error is None


def test_a_broken_shadow_leaves_the_champion(bench: Bench) -> None:
    bench.add("v1")
    bench.add("v2", b"no onnx")
    bench.serve("v1", "v2")
    assert bench.served() == (1, "v1", None)
    assert "v2" in (bench.engine.error or "")


def test_a_shadow_of_another_schema_is_refused(bench: Bench) -> None:
    bench.add("v1")
    bench.add("v2", schema="fraud_v2-0123456789")
    bench.serve("v1", "v2")
    assert bench.served() == (1, "v1", None)
    assert "shadow v2 takes other vectors" in (bench.engine.error or "")


def test_a_damaged_file_is_noticed_and_tried_again(bench: Bench) -> None:
    bench.add("v1")
    path = bench.store.path("v1") / "model.onnx"
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"!")
    bench.serve("v1")
    assert "sha256" in (bench.engine.error or "")
    path.write_bytes(good)
    bench.reconciler.step()
    assert bench.served()[1] is None
    bench.seconds += RETRY_S
    bench.reconciler.step()
    assert bench.served() == (1, "v1", None)
    assert bench.engine.error is None


@pytest.mark.parametrize("damage", ["torn", "gone", "other model", "unknown version"])
def test_a_document_that_cannot_be_followed_changes_nothing(bench: Bench, damage: str) -> None:
    bench.add("v1")
    bench.serve("v1")
    path = bench.store.document_path
    match damage:
        case "torn":
            path.write_text('{"generation": 2, "champ')
        case "gone":
            path.unlink()
        case "other model":
            path.write_bytes(encode(ServingDocument(generation=2, model="other", champion="v1")))
        case "unknown version":
            path.write_bytes(encode(ServingDocument(generation=2, champion="v9")))
    bench.reconciler.step()
    assert bench.served()[1] == "v1"
    assert bench.engine.error is not None


def test_the_thread_follows_and_stops(bench: Bench) -> None:
    bench.add("v1")
    reconciler = Reconciler(bench.store, bench.engine, poll_s=0.01)
    reconciler.start()
    try:
        bench.store.write_serving(ServingDocument(generation=1, champion="v1"), 0)
        for _ in range(500):
            if bench.engine.status().champion == "v1":
                break
            reconciler._stopping.wait(0.01)
    finally:
        reconciler.stop()
    assert bench.served() == (1, "v1", None)
    assert reconciler.seconds_since_last_look() < 5
