"""One at a time: an exclusive lock on a folder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.errors import PlatformError


@contextmanager
def exclusive(folder: Path, timeout_s: float, doing: str) -> Iterator[None]:
    """Hold ``folder`` while the block runs. The folder itself is locked, so no lock file is left behind,
    and the kernel lets go of it when the process ends, however it ends.

    Raises PlatformError where another process still holds it after ``timeout_s`` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise PlatformError(
                        f"another driftloop still works on {folder} after {timeout_s:.0f} s ({doing}); try again later"
                    ) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)
