"""Files and folders for their owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def folder(path: Path) -> Path:
    """Make a folder that only its owner may open; an existing one becomes so."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, that nobody else can read at any moment."""
    _hidden(path, content).replace(path)


def password(path: Path) -> str:
    """The password in ``path``, made up now where there is none; of two processes that make one at once, both get the same."""
    if not path.exists():
        hidden = _hidden(path, secrets.token_urlsafe(32).encode())
        try:
            path.hardlink_to(hidden)
        except FileExistsError:
            return path.read_text().strip()
        finally:
            hidden.unlink()
    return path.read_text().strip()


def _hidden(path: Path, content: bytes) -> Path:
    hidden = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    hidden.unlink(missing_ok=True)
    with os.fdopen(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    return hidden
