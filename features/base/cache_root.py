"""The cache: what is compiled, fetched or made once for all platforms of a user."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_root() -> Path:
    """Return ``$DRIFTLOOP_CACHE``, else ``driftloop`` under ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Raises RuntimeError where there is no home.
    """
    chosen = os.environ.get("DRIFTLOOP_CACHE")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "driftloop"


def is_writable(folder: Path) -> bool:
    """Tell whether files can be made in ``folder``, which is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def compiled_root() -> Path:
    """Return the folder of compiled functions: in the cache, or where that cannot be written (a read-only home, none at all) in a
    folder of the system's temporary one that only this user can open.

    Numba would else keep them beside the source, where those of one domain are taken for those of another.
    """
    try:
        place = cache_root() / "compiled"
    except RuntimeError:
        place = None
    if place is not None and is_writable(place):
        return place
    private = Path(tempfile.gettempdir(), f"driftloop-cache-{os.getuid()}")
    try:
        private.mkdir(mode=0o700, exist_ok=True)
        about = private.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="driftloop-cache-"))
    if about.st_uid != os.getuid() or about.st_mode & 0o077 or private.is_symlink():
        # What is loaded from there runs as code.
        return Path(tempfile.mkdtemp(prefix="driftloop-cache-"))
    return private / "compiled"
