"""The model store: a folder of immutable versions, and the serving document beside them.

::

    versions/v1/model.onnx manifest.json reference.parquet evaluation.json ...
    serving.json

A version appears whole (one rename) or not at all, and never changes afterwards. Writers take one file lock, readers none.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from features.base.files import locked, move_folder, write
from serving.store import document as documents
from serving.store import manifest as manifests
from serving.store.document import ServingDocument
from serving.store.manifest import Manifest

MODEL_FILE = "model.onnx"


class StoreError(Exception):
    """Something about the model store; the message names the version or file and the way out."""


class UnknownVersion(StoreError):
    """No such version in the store."""


class VersionExists(StoreError):
    """Somebody added this version first."""


class BrokenVersion(StoreError):
    """A version's folder is incomplete, or its model is not the one that its manifest describes."""


class BrokenDocument(StoreError):
    """serving.json cannot be read, or names what is not there."""


class StaleGeneration(StoreError):
    """Somebody wrote the serving document in between: read it again and decide anew."""


class ModelStore:
    """The store in the folder ``path``, made on the first write. ``model`` is the name in a document that nobody wrote yet."""

    def __init__(self, path: Path, model: str = "fraud") -> None:
        self.root = path
        self.model = model

    @property
    def document_path(self) -> Path:
        return self.root / documents.FILE_NAME

    def path(self, version: str) -> Path:
        """The folder of a version. Raises UnknownVersion."""
        folder = self._folder(version)
        if not folder.is_dir():
            raise UnknownVersion(f"version {version!r} is not in {self.root}; there are: {', '.join(self._names()) or 'none'}")
        return folder

    def manifest(self, version: str) -> Manifest:
        """Raises UnknownVersion, BrokenVersion."""
        return _read_manifest(self.path(version), version)

    def versions(self) -> list[Manifest]:
        """All versions, oldest first. Raises BrokenVersion."""
        return [self.manifest(name) for name in self._names()]

    def next_version(self) -> str:
        """The name after the newest. It is not reserved: ``add`` raises VersionExists for the slower of two."""
        names = self._names()
        return f"v{int(names[-1][1:]) + 1}" if names else "v1"

    def add(self, folder: Path) -> Manifest:
        """Move a finished version folder (``manifest.json``, ``model.onnx`` and any reports) into the store.

        The folder is gone afterwards. Raises BrokenVersion where a file is missing or wrong, VersionExists.
        """
        manifest = _read_manifest(folder, None)
        check_model(folder, manifest)
        with self._locked():
            target = self._folder(manifest.version)
            if target.exists():
                raise VersionExists(f"version {manifest.version} is in {self.root} already; take {self.next_version()}")
            target.parent.mkdir(exist_ok=True)
            # A rename is atomic within one file system only, and runs may live on another one than the store.
            incoming = target.parent / f".incoming-{uuid.uuid4().hex}"
            shutil.copytree(folder, incoming)
            move_folder(incoming, target)
        shutil.rmtree(folder)
        return manifest

    def serving(self) -> ServingDocument:
        """What should be served; generation 0 where nobody has said. Raises BrokenDocument."""
        try:
            return documents.decode(self.document_path.read_bytes())
        except FileNotFoundError:
            return ServingDocument(model=self.model)
        except msgspec.MsgspecError as error:
            message = f"{self.document_path} is not a serving document ({error}); mend it, or remove it and promote again"
            raise BrokenDocument(message) from error

    def write_serving(self, document: ServingDocument, expected_generation: int) -> ServingDocument:
        """Replace the document of ``expected_generation`` by its successor; return what was written (with ``updated_at_ms`` set).

        Raises StaleGeneration where another one is there, BrokenDocument where the new one does not follow or names
        a version that is not in the store.
        """
        if document.generation != expected_generation + 1:
            message = f"generation {document.generation} does not follow {expected_generation}; make it {expected_generation + 1}"
            raise BrokenDocument(message)
        for version in document.versions:
            if not self._folder(version).is_dir():
                raise BrokenDocument(f"the document names {version}, which is not in {self.root}; add it first")
        with self._locked():
            found = self.serving().generation
            if found != expected_generation:
                raise StaleGeneration(f"serving.json is at generation {found}, not {expected_generation}; read it and try again")
            stamped = msgspec.structs.replace(document, updated_at_ms=time.time_ns() // 1_000_000)
            write(self.document_path, documents.encode(stamped))
        return stamped

    def _folder(self, version: str) -> Path:
        if not re.fullmatch(manifests.VERSION_PATTERN, version):
            raise UnknownVersion(f"{version!r} is no version name; versions are v1, v2 and so on")
        return self.root / "versions" / version

    def _names(self) -> list[str]:
        folder = self.root / "versions"
        if not folder.is_dir():
            return []
        names = [entry.name for entry in folder.iterdir() if re.fullmatch(manifests.VERSION_PATTERN, entry.name)]
        return sorted(names, key=lambda name: int(name[1:]))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with locked(self.root / ".lock"):
            yield


def check_model(folder: Path, manifest: Manifest) -> bytes:
    """The bytes of ``model.onnx``, once they are those that the manifest describes. Raises BrokenVersion."""
    path = folder / MODEL_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BrokenVersion(f"{path} cannot be read ({error.strerror}); export the model again") from error
    found = hashlib.sha256(data).hexdigest()
    if found != manifest.sha256:
        raise BrokenVersion(f"{path} has sha256 {found[:12]}..., its manifest {manifest.sha256[:12]}...; export the model again")
    return data


def _read_manifest(folder: Path, version: str | None) -> Manifest:
    path = folder / manifests.FILE_NAME
    try:
        manifest = manifests.decode(path.read_bytes())
    except OSError as error:
        raise BrokenVersion(f"{path} cannot be read ({error.strerror}); remove the folder or train again") from error
    except msgspec.MsgspecError as error:
        raise BrokenVersion(f"{path} is not a manifest ({error}); remove the folder or train again") from error
    if version is not None and manifest.version != version:
        raise BrokenVersion(f"{path} says version {manifest.version}, its folder says {version}; rename one of them")
    return manifest
