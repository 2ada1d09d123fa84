"""The cache folder: what is fetched or made once for all platforms of this user."""

from __future__ import annotations

from pathlib import Path

from features.base.cache_root import cache_root, is_writable
from infra.errors import PlatformError


def folder() -> Path:
    """Return the cache folder (``features.base.cache_root``). Raises PlatformError where there is no home."""
    try:
        return cache_root()
    except RuntimeError as error:
        raise PlatformError("this user has no home folder; name a folder for what is fetched in DRIFTLOOP_CACHE") from error


def made() -> Path:
    """Return the cache folder, made where it is missing. Raises PlatformError where this user may not write there."""
    place = folder()
    if not is_writable(place):
        raise PlatformError(f"the cache folder {place} cannot be written; name another one in DRIFTLOOP_CACHE")
    return place


def made_or(other: Path) -> Path:
    """Return the cache folder, or ``other`` where this user may not write there."""
    try:
        return made()
    except PlatformError:
        return other
