"""Which code can go on with a stored subject state: a hash of the sources that say what is kept of an event.

A new feature that is made of what is kept already leaves it as it is, so that the scorer's snapshots outlive the release.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from features.base.fingerprint import of_code
from features.base.rooms import COLUMNS, COMPILED, FORMULAS, HISTORY

SOURCES = (*HISTORY, *COLUMNS, *FORMULAS, *COMPILED)


@cache
def state_version(sources: tuple[Path, ...] = SOURCES) -> str:
    """Return the version: 16 hexadecimal digits."""
    return of_code(sources)[:16]
