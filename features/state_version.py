"""Which code can go on with a stored card state: a hash of the sources that say what is kept of an event.

A new feature that is made of what is kept already leaves it as it is, so that the scorer's snapshots outlive the release.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
SOURCES = (
    "arrival.py",
    "card_arrays.py",
    "card_state.py",
    "columns.py",
    "formulas.py",
    "history.py",
    "in_order.py",
    "late.py",
    "robust.py",
    "running.py",
    "segment.py",
    "walk.py",
    "windows.py",
)


@cache
def state_version() -> str:
    """16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((_HERE / name).read_bytes())
    return digest.hexdigest()[:16]
