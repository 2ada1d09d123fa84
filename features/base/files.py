"""Files that appear whole or not at all, and locks that a killed process lets go of by itself."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

#: How a hidden name ends. A process that is killed leaves at most the file that it was writing, under such a name.
UNFINISHED = ".tmp"
#: Between two tries to get a lock.
_POLL_S = 0.1


class Locked(TimeoutError):
    """Another process holds the lock; the message names the file and how long it was waited for."""


class Draft:
    """A file under a hidden name beside ``path``, until it is whole.

    For a file that is written over many calls; ``replacing`` serves one that is written at once.
    """

    def __init__(self, path: Path, mode: int = 0o666) -> None:
        """Open it. ``mode``: its permissions, less the umask. Raises OSError, such as where the folder does not exist."""
        self.path = path
        self.hidden = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{UNFINISHED}")
        self.file: BinaryIO = os.fdopen(os.open(self.hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb")

    def finish(self) -> None:
        """Put it in the place of ``path``. It is on the disk when this returns, its name too. Raises OSError."""
        self.close()
        self.hidden.replace(self.path)
        sync(self.path.parent)

    def drop(self) -> None:
        """Leave ``path`` as it is."""
        try:
            self.file.close()
        finally:
            self.hidden.unlink(missing_ok=True)

    def close(self) -> None:
        """Put what was written on the disk, still under the hidden name. Raises OSError."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


@contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[Draft]:
    """Write ``file`` of a draft; it takes the place of ``path`` at the end of the block, or is dropped where that raises."""
    draft = Draft(path, mode)
    try:
        yield draft
        draft.finish()
    except BaseException:
        draft.drop()
        raise


def write(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file, whole or not at all. It is on the disk when this returns. Raises OSError."""
    with replacing(path, mode) as draft:
        draft.file.write(content)


def write_text(path: Path, text: str, mode: int = 0o666) -> None:
    """Write a text in UTF-8, as ``write`` does."""
    write(path, text.encode(), mode)


def write_json(path: Path, value: object) -> None:
    """Write what msgspec can encode, indented for people, as ``write`` does."""
    write(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def write_new(path: Path, content: bytes, mode: int = 0o666) -> bool:
    """Write as ``write`` does, unless there is a file already: that one stays, and the answer is False."""
    draft = Draft(path, mode)
    try:
        draft.file.write(content)
        draft.close()
        path.hardlink_to(draft.hidden)
    except FileExistsError:
        return False
    finally:
        draft.drop()
    sync(path.parent)
    return True


def move_folder(source: Path, target: Path) -> None:
    """Give a finished folder its name, on one file system. It is on the disk when this returns, with all that is in it.

    Raises OSError where ``target`` is there and not empty.
    """
    for path in source.rglob("*"):
        sync(path)
    sync(source)
    source.rename(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Lock:
    """A lock on a file, made where it is missing, or on a folder. When its holders end, the kernel lets go of it."""

    def __init__(self, path: Path, *, shared: bool = False, mode: int = 0o666) -> None:
        """Open it; nothing is locked yet. ``shared``: any number may hold it at once, and a file that may only be read will do.

        Raises OSError.
        """
        self._path = path
        self._how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        #: A child process that inherits this holds the lock, too.
        self.descriptor = self._open(shared, mode)

    def take(self, timeout_s: float | None = None) -> None:
        """Wait for the lock, for ever or for ``timeout_s`` seconds. Raises Locked."""
        if timeout_s is None:
            fcntl.flock(self.descriptor, self._how)
            return
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(self.descriptor, self._how | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Locked(
                        f"{self._path} is locked by another process after {timeout_s:g} s; wait for it or end it"
                    ) from None
                time.sleep(_POLL_S)
            else:
                return

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)

    def _open(self, shared: bool, mode: int) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        except IsADirectoryError:
            return os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            if not shared:
                raise
            return os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def locked(path: Path, timeout_s: float | None = None) -> Iterator[None]:
    """Hold ``path`` alone while the block runs; see ``Lock``. Raises Locked and OSError."""
    lock = Lock(path)
    try:
        lock.take(timeout_s)
        yield
    finally:
        lock.close()
