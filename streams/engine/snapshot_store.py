"""Snapshots of a partition's state: one file each, checked by its hash, the newest two kept.

``ROOT/CLUSTER/PROCESSOR/TOPIC-PARTITION/OFFSET.snapshot`` holds the state after all records below OFFSET: a line of JSON (what is
in it, and for which version of the code), the arrays one after the other, and a BLAKE2b hash of all that at the end. ROOT is a
folder or any URL that fsspec knows (s3://, gs://, ...). CLUSTER is the id of the Kafka cluster, for an offset of another one says
something else: several platforms may share ROOT. On a file system a snapshot appears whole, by a rename; elsewhere an object
does. One that is torn all the same, or was changed, fails its hash and counts as absent, and the older one is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import msgspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray

from features.base.files import UNFINISHED, replacing
from features.base.settings import SettingsError

log = logging.getLogger(__name__)

KEPT = 2
_MAGIC = b"driftloop snapshot 1\n"
_HASH_BYTES = 32
_ENDING = ".snapshot"


class DamagedSnapshot(ValueError):
    """The file is not what was written."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a partition after all records below ``offset``. ``version``: of the code that can go on with it; ``at_ms``:
    wall time of then, 0 where that is not known."""

    offset: int
    version: str
    arrays: dict[str, NDArray[Any]]
    at_ms: int = 0


class _Array(msgspec.Struct):
    name: str
    dtype: str
    shape: list[int]


class _Head(msgspec.Struct):
    offset: int
    version: str
    arrays: list[_Array]
    at_ms: int = 0


def encode(snapshot: Snapshot) -> list[bytes | memoryview]:
    """Return the file's content, in pieces, without a copy of the arrays."""
    arrays = {name: np.ascontiguousarray(array) for name, array in snapshot.arrays.items()}
    described = [_Array(name, array.dtype.str, list(array.shape)) for name, array in arrays.items()]
    head = msgspec.json.encode(_Head(snapshot.offset, snapshot.version, described, snapshot.at_ms))
    pieces: list[bytes | memoryview] = [
        _MAGIC,
        head + b"\n",
        *(array.reshape(-1).view(np.uint8).data for array in arrays.values()),
    ]
    digest = hashlib.blake2b(digest_size=_HASH_BYTES)
    for piece in pieces:
        digest.update(piece)
    return [*pieces, digest.digest()]


def decode(data: bytes) -> Snapshot:
    """Read what ``encode`` gave. Raises DamagedSnapshot."""
    content = memoryview(data)[:-_HASH_BYTES]
    if len(data) <= len(_MAGIC) + _HASH_BYTES or not data.startswith(_MAGIC):
        raise DamagedSnapshot("it is not a snapshot, or only its beginning")
    if hashlib.blake2b(content, digest_size=_HASH_BYTES).digest() != data[-_HASH_BYTES:]:
        raise DamagedSnapshot("its hash is not that of its content")
    end = data.index(b"\n", len(_MAGIC))
    head = msgspec.json.decode(data[len(_MAGIC) : end], type=_Head)
    arrays, at = {}, end + 1
    for array in head.arrays:
        dtype = np.dtype(array.dtype)
        count = int(np.prod(array.shape))
        arrays[array.name] = np.frombuffer(content, dtype, count, at).reshape(array.shape)
        at += count * dtype.itemsize
    return Snapshot(head.offset, head.version, arrays, head.at_ms)


class Store:
    """The snapshots of one processor. Raises SettingsError where fsspec does not know the path.

    Methods raise OSError (or what the file system raises) where the path cannot be used.
    """

    def __init__(self, root: str, processor: str) -> None:
        try:
            self._files, path = fsspec.core.url_to_fs(root)
        except (ValueError, ImportError, TypeError) as error:  # the path itself is not told: it may hold a secret
            raise SettingsError(f"snapshots.path cannot be used: {error}") from error
        self._base, self._processor = path.rstrip("/"), processor
        self._root = f"{self._base}/{processor}"

    def of_cluster(self, cluster: str) -> Store:
        """Use those of this cluster's logs (``streams.kafka.cluster``) from now on, before anything else; return itself."""
        self._root = f"{self._base}/{cluster}/{self._processor}"
        return self

    def write(self, topic: str, partition: int, snapshot: Snapshot) -> int:
        """Write one and remove what is older than the newest two; return its bytes."""
        folder = self._folder(topic, partition)
        self._files.makedirs(folder, exist_ok=True)
        pieces = encode(snapshot)
        path = f"{folder}/{snapshot.offset:015d}{_ENDING}"
        if isinstance(self._files, LocalFileSystem):
            _write_whole(Path(path), pieces)
        else:
            with self._files.open(path, "wb") as file:
                for piece in pieces:
                    file.write(piece)
        for old in self.offsets(topic, partition)[KEPT:]:
            self._files.rm_file(f"{folder}/{old:015d}{_ENDING}")
        return sum(len(piece) for piece in pieces)

    def offsets(self, topic: str, partition: int) -> list[int]:
        """Return the offsets of the snapshots that are there, newest first."""
        folder = self._folder(topic, partition)
        if not self._files.isdir(folder):
            return []
        names = (path.rsplit("/", 1)[-1] for path in self._files.ls(folder, detail=False))
        stems = (name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING))
        return sorted((int(stem) for stem in stems if stem.isdecimal()), reverse=True)

    def ahead(self, topic: str, partition: int, offset: int) -> int:
        """Return the newest offset beyond ``offset`` of which there is a whole snapshot, of any version; 0: of none."""
        for stored in self.offsets(topic, partition):
            if stored <= offset:
                break
            with contextlib.suppress(DamagedSnapshot, msgspec.DecodeError, FileNotFoundError, ValueError):
                if decode(self._files.cat_file(f"{self._folder(topic, partition)}/{stored:015d}{_ENDING}")).offset == stored:
                    return stored
        return 0

    def newest(self, topic: str, partition: int, version: str, upto: int) -> Snapshot | None:
        """Return the newest one that is whole, of this version, and not ahead of the offset ``upto``; remove those that are
        ahead. None: there is none."""
        for offset in self.offsets(topic, partition):
            path = f"{self._folder(topic, partition)}/{offset:015d}{_ENDING}"
            if offset > upto:
                # Not of this log (streams.kafka.trusted_offsets has seen to that): a topic was made anew under the same name.
                # It must go: among the newest two it would be kept for ever, and every new one removed.
                log.warning("snapshot %s is ahead of the committed offset %d and is removed", path, upto)
                self._files.rm_file(path)
                continue
            try:
                snapshot = decode(self._files.cat_file(path))
            except (DamagedSnapshot, msgspec.DecodeError, FileNotFoundError, ValueError) as error:
                log.warning("snapshot %s is damaged and is not used: %s", path, error)
                continue
            if snapshot.version != version or snapshot.offset != offset:
                log.warning("snapshot %s is of another version of the features and is not used", path)
                continue
            return snapshot
        return None

    def clear(self) -> None:
        """Remove all: they are of a log that is no more."""
        if self._files.isdir(self._root):
            self._files.rm(self._root, recursive=True)

    def _folder(self, topic: str, partition: int) -> str:
        return f"{self._root}/{topic}-{partition}"


def _write_whole(path: Path, pieces: list[bytes | memoryview]) -> None:
    for left in path.parent.glob(f".*{UNFINISHED}"):  # by a process that was killed: a partition has one owner
        left.unlink(missing_ok=True)
    with replacing(path) as draft:
        draft.file.writelines(pieces)
