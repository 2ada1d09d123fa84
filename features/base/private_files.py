"""Files and folders for their owner only."""

from __future__ import annotations

import secrets
from pathlib import Path

from features.base import files

_OWNER = 0o600


def folder(path: Path) -> Path:
    """Make a folder that only its owner may open; an existing one becomes so."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, that nobody else can read at any moment."""
    files.write(path, content, _OWNER)


def password(path: Path) -> str:
    """Return the password in ``path``, made up now where there is none. Two processes that make one at once get the same."""
    if not path.exists():
        files.write_new(path, secrets.token_urlsafe(32).encode(), _OWNER)
    return path.read_text().strip()
