"""Ids in log lines and error messages: never as they are, but as a keyed hash, so that lines about one subject can still be
found.

The key is the platform's own (``secrets/log-key``), made at first use. Without it a hash of a subject number could be undone by
hashing all subject numbers. ``driftloop hash ID`` gives the hash of an id.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from functools import lru_cache
from pathlib import Path

from features.base import private_files
from features.base.settings import Settings

_BYTES = 6

#: msgspec repeats a value in one kind of message, that of a value which is none of an enumeration; the place stands at the end.
_REPEATED = re.compile(r"(?s)^(Invalid (?:enum )?value) .*?((?: - at `\$[^`\n]*`)?)$")


def hashed(settings: Settings, identifier: str) -> str:
    """Return ``#`` and twelve hexadecimal digits: BLAKE2b of the id under the platform's key."""
    digest = hashlib.blake2b(identifier.encode(), key=_key(settings.secrets / "log-key"), digest_size=_BYTES)
    return f"#{digest.hexdigest()}"


@lru_cache(maxsize=16)
def _key(path: Path) -> bytes:
    try:
        if not path.exists():
            private_files.folder(path.parent)
        return private_files.password(path).encode()
    except OSError:
        # Nowhere to keep one (a server on a read-only disk): hashes agree within this process at least.
        return secrets.token_bytes(32)


def without_values(error: Exception) -> str:
    """Return what may be said of an error about a record: its message without the record's values."""
    return _REPEATED.sub(r"\1\2", str(error))
