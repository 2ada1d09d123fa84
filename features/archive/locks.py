"""Who may touch the archive's files: locks that a killed process lets go of by itself (flock on files beside the archive).

| who | write lock | read lock | so that |
| --- | --- | --- | --- |
| a writer, for one batch | exclusive | - | what it looked up is still so when its files appear |
| a reader of ours, for one job | - | shared | the files that it listed are there until it has read them |
| compaction, for one folder | exclusive | exclusive, or not at all | it waits for nobody who reads; it tries again later |

Readers of others need no lock to read each record once (``features.archive.compaction``).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: The writers' lock, also where the archive is no folder (``features.base.storage``).
WRITE = ".write.lock"
_READ = ".read.lock"


@contextmanager
def writing(archive: Path) -> Iterator[None]:
    """Alone among the writers of ``archive`` on this machine; waits for the others."""
    descriptor = _made(archive, WRITE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def reading(archive: Path) -> Iterator[None]:
    """No file of ``archive`` goes away meanwhile; waits for a compaction under way. Harmless where there is no archive."""
    try:
        descriptor = os.open(archive / _READ, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:
        try:
            # Read only: somebody else's archive.
            descriptor = os.open(archive / _READ, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            yield
            return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def compacting(archive: Path) -> Iterator[bool]:
    """True: alone with ``archive``, without writers and readers. False: somebody reads; leave it as it is."""
    with writing(archive):
        descriptor = _made(archive, _READ)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            yield False
            return
        try:
            yield True
        finally:
            os.close(descriptor)


def _made(archive: Path, name: str) -> int:
    archive.mkdir(parents=True, exist_ok=True)
    return os.open(archive / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
