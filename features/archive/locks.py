"""Who may touch the archive's files: locks that a killed process lets go of by itself (flock on files beside the archive).

| who | write lock | read lock | so that |
| --- | --- | --- | --- |
| a writer, for one batch | exclusive | - | what it looked up is still so when its files appear |
| a reader of ours, for one job | - | shared | the files that it listed are there until it has read them |
| compaction, for one folder | exclusive | exclusive, or not at all | it waits for nobody who reads; it tries again later |

Readers of others need no lock to read each record once (``features.archive.compaction``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.base.files import Lock, Locked, locked

#: The writers' lock, also where the archive is no folder (``features.base.storage``).
WRITE = ".write.lock"
_READ = ".read.lock"


@contextmanager
def writing(archive: Path) -> Iterator[None]:
    """Be alone among the writers of ``archive`` on this machine; wait for the others."""
    archive.mkdir(parents=True, exist_ok=True)
    with locked(archive / WRITE):
        yield


@contextmanager
def reading(archive: Path) -> Iterator[None]:
    """Let no file of ``archive`` go away meanwhile; wait for a compaction under way. Harmless where there is no archive."""
    try:
        lock = Lock(archive / _READ, shared=True)
    except OSError:
        # No archive, or somebody else's that nobody has read yet.
        yield
        return
    try:
        lock.take()
        yield
    finally:
        lock.close()


@contextmanager
def compacting(archive: Path) -> Iterator[bool]:
    """Yield True: alone with ``archive``, without writers and readers. Or False: somebody reads; leave it as it is."""
    with writing(archive):
        lock = Lock(archive / _READ)
        try:
            yield _taken(lock)
        finally:
            lock.close()


def _taken(lock: Lock) -> bool:
    try:
        lock.take(timeout_s=0.0)
    except Locked:
        return False
    return True
