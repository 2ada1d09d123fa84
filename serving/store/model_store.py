"""The model store: a folder of immutable versions, and the serving document beside them.

::

    versions/v1/model.onnx manifest.json reference.parquet evaluation.json ...
    serving.json

A version appears whole (one rename) or not at all, and never changes afterwards. Writers take one file lock, readers none.
In an object store, which has neither, ``serving.store.object_versions`` does the same with conditional puts.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from features.base.active import DOMAIN
from features.base.files import locked, move_folder, write
from features.base.settings import Settings
from features.base.storage import is_local, local_path, open_store
from serving.store import document as documents
from serving.store import manifest as manifests
from serving.store.document import ServingDocument
from serving.store.manifest import Manifest
from serving.store.object_versions import ObjectVersions

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
    """The store in the folder ``path``, made on the first write, or in an object store, with ``path`` for what is fetched.

    ``model`` is the name in a document that nobody wrote yet.
    """

    def __init__(self, path: Path, model: str = DOMAIN.model, objects: ObjectVersions | None = None) -> None:
        self.root = path
        self.model = model
        self._objects = objects

    @classmethod
    def of(cls, settings: Settings) -> ModelStore:
        """Return the platform's own store (``storage.models``). Raises SettingsError where fsspec does not know its URL."""
        root = settings.models_root
        if is_local(root):
            return cls(local_path(root), settings.model)
        cache = settings.model_cache
        return cls(cache, settings.model, ObjectVersions(open_store(root, "storage.models"), root, cache))

    @property
    def place(self) -> str:
        """Return the folder or URL, for messages."""
        return self._objects.url if self._objects else str(self.root)

    @property
    def document_path(self) -> Path:
        return self.root / documents.FILE_NAME

    def stamp(self) -> tuple[int, ...] | None:
        """Return what differs once the serving document has changed; None where there is none. Raises OSError."""
        if self._objects:
            return (self._objects.generation(),)
        stat = self.document_path.stat()
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def path(self, version: str) -> Path:
        """Return the folder of a version. Raises UnknownVersion."""
        folder = self._folder(version)
        if not self._is_there(version):
            raise UnknownVersion(f"version {version!r} is not in {self.place}; there are: {', '.join(self._names()) or 'none'}")
        return self._objects.fetch(version) if self._objects else folder

    def manifest(self, version: str) -> Manifest:
        """Read the manifest of a version. Raises UnknownVersion, BrokenVersion."""
        if self._objects and self._is_there(version):
            # Without its model: whoever lists versions does not want them all.
            return _decode_manifest(self._objects.manifest(version), f"{self.place}/versions/{version}", version)
        return _read_manifest(self.path(version), version)

    def versions(self) -> list[Manifest]:
        """Return all versions, oldest first. Raises BrokenVersion."""
        return [self.manifest(name) for name in self._names()]

    def next_version(self) -> str:
        """Return the name after the newest. It is not reserved: ``add`` raises VersionExists for the slower of two."""
        names = _by_number(self._objects.claimed()) if self._objects else self._names()
        return f"v{int(names[-1][1:]) + 1}" if names else "v1"

    def add(self, folder: Path) -> Manifest:
        """Move a finished version folder (``manifest.json``, ``model.onnx`` and any reports) into the store.

        The folder is gone afterwards. Raises BrokenVersion where a file is missing or wrong, VersionExists.
        """
        manifest = _read_manifest(folder, None)
        check_model(folder, manifest)
        if self._objects:
            try:
                self._objects.add(folder, manifest.version)
            except FileExistsError as error:
                raise VersionExists(
                    f"version {manifest.version} is in {self.place} already; take {self.next_version()}"
                ) from error
            shutil.rmtree(folder)
            return manifest
        with self._locked():
            target = self._folder(manifest.version)
            if target.exists():
                raise self._taken(manifest.version)
            target.parent.mkdir(exist_ok=True)
            # A rename is atomic within one file system only, and runs may live on another one than the store.
            incoming = target.parent / f".incoming-{uuid.uuid4().hex}"
            shutil.copytree(folder, incoming)
            move_folder(incoming, target)
        shutil.rmtree(folder)
        return manifest

    def serving(self) -> ServingDocument:
        """Read what should be served; generation 0 where nobody has said. Raises BrokenDocument."""
        where = self.document_path
        try:
            if self._objects:
                generation = self._objects.generation()
                where = Path(f"{self.place}/serving/{generation:09d}.json")
                return documents.decode(self._objects.document(generation))
            return documents.decode(where.read_bytes())
        except FileNotFoundError:
            return ServingDocument(model=self.model)
        except msgspec.MsgspecError as error:
            message = f"{where} is not a serving document ({error}); mend it, or remove it and promote again"
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
            if not self._is_there(version):
                raise BrokenDocument(f"the document names {version}, which is not in {self.place}; add it first")
        if self._objects:
            return self._write_object(document, expected_generation)
        with self._locked():
            generation = self.serving().generation
            if generation != expected_generation:
                raise StaleGeneration(
                    f"serving.json is at generation {generation}, not {expected_generation}; read it and try again"
                )
            stamped = _stamped(document)
            write(self.document_path, documents.encode(stamped))
        return stamped

    def _write_object(self, document: ServingDocument, expected_generation: int) -> ServingDocument:
        assert self._objects is not None
        generation, stamped = self._objects.generation(), _stamped(document)
        try:
            if generation != expected_generation:
                raise FileExistsError
            self._objects.write_document(stamped.generation, documents.encode(stamped))
        except FileExistsError as error:
            generation = self._objects.generation()
            raise StaleGeneration(
                f"{self.place} is at generation {generation}, not {expected_generation}; read and try again"
            ) from error
        return stamped

    def _taken(self, version: str) -> VersionExists:
        return VersionExists(f"version {version} is in {self.place} already; take {self.next_version()}")

    def _is_there(self, version: str) -> bool:
        folder = self._folder(version)
        return self._objects.is_whole(version) if self._objects else folder.is_dir()

    def _folder(self, version: str) -> Path:
        if not re.fullmatch(manifests.VERSION_PATTERN, version):
            raise UnknownVersion(f"{version!r} is no version name; versions are v1, v2 and so on")
        return self.root / "versions" / version

    def _names(self) -> list[str]:
        if self._objects:
            return _by_number(self._objects.names())
        folder = self.root / "versions"
        if not folder.is_dir():
            return []
        return _by_number(entry.name for entry in folder.iterdir() if re.fullmatch(manifests.VERSION_PATTERN, entry.name))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with locked(self.root / ".lock"):
            yield


def _by_number(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: int(name[1:]))


def _stamped(document: ServingDocument) -> ServingDocument:
    return msgspec.structs.replace(document, updated_at_ms=time.time_ns() // 1_000_000)


def check_model(folder: Path, manifest: Manifest) -> bytes:
    """Return the bytes of ``model.onnx``, once they are those that the manifest describes. Raises BrokenVersion."""
    path = folder / MODEL_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BrokenVersion(f"{path} cannot be read ({error.strerror}); export the model again") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != manifest.sha256:
        raise BrokenVersion(f"{path} has sha256 {digest[:12]}..., its manifest {manifest.sha256[:12]}...; export the model again")
    return data


def _read_manifest(folder: Path, version: str | None) -> Manifest:
    path = folder / manifests.FILE_NAME
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BrokenVersion(f"{path} cannot be read ({error.strerror}); remove the folder or train again") from error
    return _decode_manifest(data, str(path), version)


def _decode_manifest(data: bytes, path: str, version: str | None) -> Manifest:
    try:
        manifest = manifests.decode(data)
    except msgspec.MsgspecError as error:
        raise BrokenVersion(f"{path} is not a manifest ({error}); remove the folder or train again") from error
    if version is not None and manifest.version != version:
        raise BrokenVersion(f"{path} says version {manifest.version}, its folder says {version}; rename one of them")
    return manifest
