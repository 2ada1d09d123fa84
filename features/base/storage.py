"""Where what lasts is kept: a folder, or any URL that fsspec knows, behind one small interface.

No caller needs a rename or a file lock. What each kind uses instead:

| | a folder | an object store |
| --- | --- | --- |
| ``write``: whole or not at all | a hidden file, synced, renamed | one put |
| ``create``: only where there is none | the hidden file, linked under its name | a conditional put (fsspec's ``mode="create"``) |
| ``lock``: one at a time | flock, which a killed process lets go of | a lease in numbered objects, each made by ``create`` |
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import fsspec
import msgspec
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem

from features.base import files
from features.base.settings import SettingsError

#: Wall time after which the lease of a process that was killed ends. A holder that takes longer finds it lost.
LEASE_S = 120.0
_POLL_S = 0.1


class LeaseLost(OSError):
    """What was done under a lease took longer than the lease: somebody else may have been at work meanwhile."""


class Store(Protocol):
    """Objects of bytes, by names with ``/`` between their parts, below one root. An object is never seen half written.

    Methods raise OSError (or what the file system raises) where the root cannot be used.
    """

    #: The root, for messages.
    url: str

    def read(self, name: str) -> bytes:
        """Return the bytes of an object. Raises FileNotFoundError."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Put ``data`` there, in place of what is there; it lasts when this returns."""
        ...

    def create(self, name: str, data: bytes) -> None:
        """Put ``data`` where there is nothing; of several who try, one succeeds. Raises FileExistsError."""
        ...

    def names(self, folder: str) -> list[str]:
        """List what lies directly in ``folder``, sorted: objects and folders, no hidden names. Nothing where there is none."""
        ...

    def remove(self, name: str) -> None:
        """Remove an object; nothing happens where there is none."""
        ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Be alone among those that hold the lock ``name``; wait for the others."""
        ...


def is_local(root: str) -> bool:
    """Tell whether a root is a folder of this host (or one that is mounted there): no URL, or ``file://``."""
    return "://" not in root or root.startswith(("file://", "local://"))


def local_path(root: str) -> Path:
    """Return the folder of a root that is one."""
    return Path(root.partition("://")[2] if "://" in root else root)


def open_store(root: str, setting: str) -> Store:
    """Open the store at ``root``. Raises SettingsError, naming the ``setting`` that it is from, where fsspec does not know it."""
    if is_local(root):
        return FolderStore(local_path(root))
    try:
        filesystem, path = fsspec.core.url_to_fs(root)
    except (ValueError, ImportError, TypeError) as error:  # the URL itself is not shown: it may hold a secret
        raise SettingsError(f"{setting} cannot be used: {error}") from error
    if isinstance(filesystem, LocalFileSystem):
        return FolderStore(Path(path))
    return ObjectStore(filesystem, path, setting)


def local_copy(root: str, setting: str, name: str, cache: Path) -> Path:
    """Return a file with the object ``name``, which never changes: itself where the root is a folder, else a copy in ``cache``.

    Raises FileNotFoundError where the store has none.
    """
    if is_local(root):
        return local_path(root) / name
    if not (cache / name).exists():
        FolderStore(cache).write(name, open_store(root, setting).read(name))
    return cache / name


class FolderStore:
    """A folder, made on the first write."""

    def __init__(self, root: Path) -> None:
        self.root, self.url = root, str(root)

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        files.write(self._place(name), data)

    def create(self, name: str, data: bytes) -> None:
        path = self._place(name)
        if not files.write_new(path, data):
            raise FileExistsError(path)

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(path.name for path in (self.root / folder).iterdir() if not path.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    def lock(self, name: str) -> AbstractContextManager[None]:
        return files.locked(self._place(name))

    def _place(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class _Lease(msgspec.Struct):
    """Who holds it, and until when (wall time); 0: no longer."""

    holder: str
    until_ms: int


class ObjectStore:
    """Any other file system that fsspec knows. An object appears by one put, as object stores have it."""

    def __init__(
        self, system: fsspec.AbstractFileSystem, path: str, setting: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._files, self._path, self._setting, self._clock = system, path.rstrip("/"), setting, clock
        protocol = system.protocol if isinstance(system.protocol, str) else system.protocol[0]
        self.url = f"{protocol}://{self._path.lstrip('/')}"

    def read(self, name: str) -> bytes:
        return bytes(self._files.cat_file(self._at(name)))

    def write(self, name: str, data: bytes) -> None:
        self._files.pipe_file(self._at(name), data)

    def create(self, name: str, data: bytes) -> None:
        """Put ``data`` as ``Store`` says. Raises SettingsError where the file system has no conditional put."""
        if not _creates(self._files):
            raise SettingsError(
                f"{self._setting}: {type(self._files).__name__} has no conditional put,"
                " so that two writers could take each other's place; choose a folder, or a store that has them (docs/apart.md)"
            )
        self._files.pipe_file(self._at(name), data, mode="create")

    def names(self, folder: str) -> list[str]:
        # Others write there, too.
        self._files.invalidate_cache()
        try:
            paths = self._files.ls(self._at(folder), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = {path.rstrip("/").rsplit("/", 1)[-1] for path in paths}
        return sorted(name for name in names if name and not name.startswith("."))

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._at(name))

    def stamps(self) -> dict[str, str]:
        """Return every object below the root, at any depth, by its name, with what is another text once it is put anew."""
        self._files.invalidate_cache()
        try:
            objects: dict[str, dict[str, Any]] = self._files.find(self._path, detail=True)
        except FileNotFoundError:
            return {}
        root = self._path.strip("/") + "/"
        return {path.strip("/").removeprefix(root): _stamp(about) for path, about in objects.items()}

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lease. Raises LeaseLost at the end where it took longer than LEASE_S: what was done must count as not done."""
        name = f"{name}.leases"
        holder = uuid.uuid4().hex
        number, lease = self._take(name, holder)
        try:
            yield
        finally:
            in_time = self._clock() * 1000 < lease.until_ms
            if in_time:
                self.write(f"{name}/{number:012d}", msgspec.json.encode(_Lease(holder, 0)))
        if not in_time:
            raise LeaseLost(f"{self.url}/{name}: the lease ended after {LEASE_S:.0f} s, before the work; it is done again")

    def _take(self, name: str, holder: str) -> tuple[int, _Lease]:
        while True:
            numbers = [int(each) for each in self.names(name) if each.isdecimal()]
            newest = max(numbers, default=0)
            now_ms = int(self._clock() * 1000)
            if self._held(name, newest, now_ms):
                time.sleep(_POLL_S)
                continue
            lease = _Lease(holder, now_ms + int(LEASE_S * 1000))
            try:
                # Who makes the next number has the lease.
                self.create(f"{name}/{newest + 1:012d}", msgspec.json.encode(lease))
            except FileExistsError:
                continue
            if any(int(each) > newest + 1 for each in self.names(name) if each.isdecimal()):
                # This process was slow: the number was made, used and removed meanwhile, and a later one is there.
                self.remove(f"{name}/{newest + 1:012d}")
                continue
            for old in numbers:
                self.remove(f"{name}/{old:012d}")
            return newest + 1, lease

    def _held(self, name: str, number: int, now_ms: int) -> bool:
        try:
            return number > 0 and msgspec.json.decode(self.read(f"{name}/{number:012d}"), type=_Lease).until_ms > now_ms
        except FileNotFoundError:
            # The next holder has removed it: look again.
            return True

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}" if name else self._path


def _stamp(about: dict[str, Any]) -> str:
    """Hash all that a file system says of an object: its size, its time, its ETag or generation, whichever it has."""
    text = repr(sorted((name, str(value)) for name, value in about.items()))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _creates(files: fsspec.AbstractFileSystem) -> bool:
    """Tell whether its conditional put is one: fsspec's own looks first and writes then, which two can do at once."""
    kind: type[Any] = type(files)
    method = kind._pipe_file if isinstance(files, AsyncFileSystem) else kind.pipe_file
    plain = AsyncFileSystem._pipe_file if isinstance(files, AsyncFileSystem) else fsspec.AbstractFileSystem.pipe_file
    return method is not plain and "mode" in inspect.signature(method).parameters
