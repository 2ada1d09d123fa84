"""The cache folder: what is fetched or made once for all platforms of this user."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path:
    """Return ``$DRIFTLOOP_CACHE``, else ``driftloop`` under ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    chosen = os.environ.get("DRIFTLOOP_CACHE")
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "driftloop"
