"""One at a time: an exclusive lock on a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from features.base.files import Locked, locked
from infra.errors import PlatformError


@contextmanager
def exclusive(folder: Path, timeout_s: float, doing: str) -> Iterator[None]:
    """Hold ``folder`` while the block runs. The folder itself is locked, so no lock file is left behind,
    and the kernel lets go of it when the process ends, however it ends.

    Raises PlatformError where another process still holds it after ``timeout_s`` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder, timeout_s))
        except Locked:
            raise PlatformError(
                f"another driftloop still works on {folder} after {timeout_s:.0f} s ({doing}); try again later"
            ) from None
        yield
