"""Where the sources lie that are hashed (``features.fingerprint``): files, or folders for all of their modules.

Paths stand here only, and this file is part of no hash, so that a move changes none.
"""

from __future__ import annotations

from pathlib import Path

_FEATURES = Path(__file__).parent


def _files(*names: str) -> tuple[Path, ...]:
    return tuple(_FEATURES / name for name in names)


#: What formulas call, with its constants, and the windows. In this order they are hashed into the vector's schema.
FORMULAS = _files("formulas.py", "geo.py", "windows.py")
#: How all of it is compiled.
COMPILED = _files("compiled.py")
#: A card's history: what is kept of an event, and what is read from it.
HISTORY = _files(
    "arrival.py",
    "card_arrays.py",
    "card_state.py",
    "history.py",
    "in_order.py",
    "late.py",
    "pool.py",
    "prefetch.py",
    "robust.py",
    "running.py",
    "segment.py",
    "state_copy.py",
    "state_version.py",
    "walk.py",
)
#: The columns that the history is made of.
COLUMNS = _files("columns.py")
#: What the compiled loops call beside the history, and the arrays that they are given.
PROFILES = _files("profiles.py", "read.py", "terminal_tiles.py")
