"""The model store in an object store, which has no rename, no lock and no append."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import tests.object_store  # noqa: F401 - registers strict:// and weak://
from features.base.settings import FILE_NAME, Settings, SettingsError, load
from features.base.storage import open_store
from serving.server.engine import Engine
from serving.server.reconciler import Reconciler
from serving.store.document import ServingDocument
from serving.store.model_store import (
    BrokenDocument,
    BrokenVersion,
    ModelStore,
    StaleGeneration,
    UnknownVersion,
    VersionExists,
)
from serving.store.object_versions import ObjectVersions
from streams.drift.references import ReferenceUnusable, StoredReferences
from tests.unit.serving.tiny_models import WIDTH, expected, make_manifest, onnx_bytes, version_folder


def host(folder: Path, url: str) -> Settings:
    """The settings of a host that keeps its models at ``url``."""
    folder.mkdir()
    (folder / FILE_NAME).write_text(f'[storage]\nmodels = "{url}"\n')
    return load(folder)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"strict:/{tmp_path}/models"


@pytest.fixture
def trainer(tmp_path: Path, url: str) -> ModelStore:
    return ModelStore.of(host(tmp_path / "trainer", url))


def add(store: ModelStore, tmp_path: Path, version: str, bias: float = 0.0) -> None:
    data = onnx_bytes(bias=bias)
    store.add(version_folder(tmp_path / f"run-{version}-{bias}", version, data, make_manifest(version, data)))


def test_what_one_host_adds_another_one_serves(trainer: ModelStore, tmp_path: Path, url: str) -> None:
    server = ModelStore.of(host(tmp_path / "server", url))
    engine = Engine()
    reconciler = Reconciler(server, engine)
    reconciler.step()
    assert engine.status().champion is None
    assert trainer.next_version() == "v1"
    add(trainer, tmp_path, "v1", bias=1.0)
    assert [manifest.version for manifest in server.versions()] == ["v1"]
    trainer.write_serving(ServingDocument(generation=1, champion="v1"), 0)
    reconciler.step()
    champion = engine.loaded.champion
    assert champion is not None
    rows = np.ones((2, WIDTH), dtype=np.float32)
    assert np.allclose(champion.predict(rows), expected(rows, 1.0))
    add(trainer, tmp_path, "v2")
    trainer.write_serving(ServingDocument(generation=2, champion="v2"), 1)
    reconciler.step()
    assert (engine.status().generation, engine.status().champion, engine.error) == (2, "v2", None)
    assert server.next_version() == "v3"


def test_a_version_is_fetched_once_and_listed_without_its_model(trainer: ModelStore, tmp_path: Path, url: str) -> None:
    add(trainer, tmp_path, "v1")
    settings = host(tmp_path / "server", url)
    store = ModelStore.of(settings)
    store.versions()
    assert not settings.model_cache.exists()
    folder = store.path("v1")
    assert sorted(path.name for path in folder.iterdir()) == ["evaluation.json", "manifest.json", "model.onnx"]
    open_store(url, "storage.models").remove("versions/v1/model.onnx")
    assert (store.path("v1") / "model.onnx").exists()


def test_of_two_that_add_a_version_one_does(trainer: ModelStore, tmp_path: Path) -> None:
    results: list[str] = []

    def work(bias: float) -> None:
        try:
            add(trainer, tmp_path, "v1", bias)
            results.append(str(bias))
        except VersionExists as error:
            results.append(str(error))

    threads = [threading.Thread(target=work, args=(float(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = (each for each in results if "already" not in each)
    rows = np.ones((1, WIDTH), dtype=np.float32)
    from serving.server.onnx_model import load as loaded

    # The file is the winner's, too: its hash is checked against the manifest.
    assert np.allclose(loaded(trainer, "v1").predict(rows), expected(rows, float(winner)))


def test_what_a_killed_writer_left_is_no_version(trainer: ModelStore, tmp_path: Path, url: str) -> None:
    objects = open_store(url, "storage.models")
    objects.create("versions/v1/claim", b"")
    objects.write("versions/v1/model.onnx", b"half")
    assert trainer.versions() == []
    with pytest.raises(UnknownVersion, match="there are: none"):
        trainer.path("v1")
    with pytest.raises(BrokenDocument, match="which is not in strict:"):
        trainer.write_serving(ServingDocument(generation=1, champion="v1"), 0)
    assert trainer.next_version() == "v2"
    with pytest.raises(VersionExists, match="take v2"):
        add(trainer, tmp_path, "v1")
    add(trainer, tmp_path, "v2")
    assert [manifest.version for manifest in trainer.versions()] == ["v2"]


def test_of_two_that_write_a_generation_one_does(trainer: ModelStore, tmp_path: Path) -> None:
    add(trainer, tmp_path, "v1")
    assert trainer.serving().generation == 0
    outcomes: list[str] = []

    def work() -> None:
        try:
            trainer.write_serving(ServingDocument(generation=1, champion="v1"), 0)
            outcomes.append("written")
        except StaleGeneration:
            outcomes.append("stale")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["stale"] * 5 + ["written"]
    assert (trainer.serving().generation, trainer.serving().champion) == (1, "v1")
    assert trainer.serving().updated_at_ms > 0


def test_who_looked_before_somebody_else_wrote_is_stale(
    trainer: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(trainer, tmp_path, "v1")
    trainer.write_serving(ServingDocument(generation=1, champion="v1"), 0)
    with monkeypatch.context() as earlier:
        earlier.setattr(ObjectVersions, "generation", lambda _: 0)
        with pytest.raises(StaleGeneration):
            trainer.write_serving(ServingDocument(generation=1, champion=None), 0)
    assert trainer.serving().champion == "v1"


def test_a_document_that_is_none_is_named(trainer: ModelStore, url: str) -> None:
    open_store(url, "storage.models").create("serving/000000003.json", b"{")
    with pytest.raises(BrokenDocument, match=r"serving/000000003\.json is not a serving document"):
        trainer.serving()


def test_a_model_of_another_hash_is_refused(trainer: ModelStore, tmp_path: Path, url: str) -> None:
    from serving.server.onnx_model import load as loaded

    add(trainer, tmp_path, "v1")
    open_store(url, "storage.models").write("versions/v1/model.onnx", onnx_bytes(bias=3.0))
    with pytest.raises(BrokenVersion, match="sha256"):
        loaded(ModelStore.of(host(tmp_path / "other", url)), "v1")


def test_a_store_without_conditional_puts_is_refused(tmp_path: Path) -> None:
    store = ModelStore.of(host(tmp_path / "trainer", f"weak:/{tmp_path}"))
    with pytest.raises(SettingsError, match=r"storage\.models: WeakFileSystem has no conditional put"):
        add(store, tmp_path, "v1")


def test_the_drift_monitor_finds_its_references_there(trainer: ModelStore, tmp_path: Path, url: str) -> None:
    data = onnx_bytes()
    folder = version_folder(tmp_path / "run", "v1", data, make_manifest("v1", data))
    (folder / "reference.parquet").write_bytes(b"rows")
    trainer.add(folder)
    references = StoredReferences(host(tmp_path / "monitor", url))
    assert references.path("v1").read_bytes() == b"rows"
    with pytest.raises(ReferenceUnusable, match=r"v2 has no reference\.parquet in the model store"):
        references.get("v2")
