from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from serving.rollout import transitions
from serving.store.document import ServingDocument
from serving.store.model_store import BrokenDocument, BrokenVersion, ModelStore, StaleGeneration, UnknownVersion, VersionExists
from tests.unit.serving.tiny_models import make_manifest, version_folder

DATA = b"not really onnx: the store only looks at the hash"


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def add(store: ModelStore, tmp_path: Path, version: str) -> None:
    store.add(version_folder(tmp_path / f"run-{version}", version, DATA))


def test_an_empty_store(store: ModelStore) -> None:
    assert store.versions() == []
    assert store.next_version() == "v1"
    assert store.serving() == ServingDocument()
    assert not store.root.exists()


def test_versions_are_added_whole_and_sorted_by_number(store: ModelStore, tmp_path: Path) -> None:
    for version in ("v2", "v10", "v9"):
        add(store, tmp_path, version)
    assert [m.version for m in store.versions()] == ["v2", "v9", "v10"]
    assert store.next_version() == "v11"
    assert store.manifest("v9").threshold == 0.5
    assert sorted(f.name for f in store.path("v9").iterdir()) == ["evaluation.json", "manifest.json", "model.onnx"]
    assert not (tmp_path / "run-v9").exists()
    assert [f.name for f in (store.root / "versions").iterdir() if f.name.startswith(".")] == []


def test_a_version_is_added_once(store: ModelStore, tmp_path: Path) -> None:
    add(store, tmp_path, "v1")
    with pytest.raises(VersionExists, match="take v2"):
        add(store, tmp_path, "v1")
    assert (tmp_path / "run-v1").exists()


def test_a_model_that_is_not_the_manifests_is_refused(store: ModelStore, tmp_path: Path) -> None:
    folder = version_folder(tmp_path / "run", "v1", DATA, make_manifest("v1", b"another"))
    with pytest.raises(BrokenVersion, match="sha256"):
        store.add(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(BrokenVersion, match=r"model\.onnx cannot be read"):
        store.add(folder)
    (folder / "manifest.json").write_text('{"model": "fraud"}')
    with pytest.raises(BrokenVersion, match="version"):
        store.add(folder)
    assert store.versions() == []


@pytest.mark.parametrize("name", ["v0", "1", "../v1", "v1/..", "v01", ""])
def test_a_version_name_is_no_path(store: ModelStore, name: str) -> None:
    with pytest.raises(UnknownVersion, match="no version name"):
        store.path(name)


def test_an_unknown_version_says_which_there_are(store: ModelStore, tmp_path: Path) -> None:
    add(store, tmp_path, "v1")
    with pytest.raises(UnknownVersion, match="there are: v1"):
        store.manifest("v2")


def test_the_document_is_written_only_over_the_one_that_was_read(store: ModelStore, tmp_path: Path) -> None:
    add(store, tmp_path, "v1")
    first = store.write_serving(transitions.on_registered(store.serving(), "v1", 0), 0)
    assert store.serving() == first
    assert first.updated_at_ms > 0
    with pytest.raises(StaleGeneration, match="generation 1, not 0"):
        store.write_serving(transitions.on_registered(ServingDocument(), "v1", 0), 0)


def test_one_of_many_writers_wins(store: ModelStore, tmp_path: Path) -> None:
    add(store, tmp_path, "v1")

    def write(_: int) -> bool:
        try:
            store.write_serving(ServingDocument(generation=1, champion="v1"), 0)
        except StaleGeneration:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(16))) == 1


def test_a_document_that_cannot_be_served_is_not_written(store: ModelStore) -> None:
    with pytest.raises(BrokenDocument, match="names v7"):
        store.write_serving(ServingDocument(generation=1, champion="v7"), 0)
    with pytest.raises(BrokenDocument, match="does not follow"):
        store.write_serving(ServingDocument(generation=5), 0)
    assert not store.document_path.exists()


@pytest.mark.parametrize("text", ["", "{", '{"generation": -1}', '{"champion": "../x"}', "[]"])
def test_a_broken_document_is_named(store: ModelStore, text: str) -> None:
    store.root.mkdir(parents=True)
    store.document_path.write_text(text)
    with pytest.raises(BrokenDocument, match=r"serving\.json is not a serving document") as caught:
        store.serving()
    assert isinstance(caught.value.__cause__, msgspec.MsgspecError)
