"""Where the sources lie that are hashed (``features.base.fingerprint``): rooms, or single files of one.

Paths stand here only, and this file is part of no hash, so that a move changes none.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

_FEATURES = Path(__file__).parents[1]
_CATALOGUE = _FEATURES / "catalogue"
_TRANSFORM = _FEATURES / "transform"
_STREAMS = _FEATURES.parent / "streams"
_ENGINE = _STREAMS / "engine"
_SCORING = _STREAMS / "scoring"

#: What formulas call, with its constants, and the windows. In this order they are hashed into the vector's schema.
FORMULAS = (_CATALOGUE / "formulas.py", _CATALOGUE / "geo.py", _CATALOGUE / "windows.py")
#: How all of it is compiled.
COMPILED = (_FEATURES / "base" / "compiled.py",)
#: A subject's history: what is kept of an event, and what is read from it.
HISTORY = (_FEATURES / "history",)
#: The columns that the history is made of.
COLUMNS = (_TRANSFORM / "columns.py",)
#: What the compiled loops call beside the history, and the arrays that they are given.
PROFILES = (_TRANSFORM / "profiles.py", _TRANSFORM / "read_columns.py", _TRANSFORM / "counterpart_tiles.py")
#: What the scorer takes of a partition's log, and what it keeps of ids and of the clock.
PARTITION = (
    _FEATURES / "base" / "conversion.py",
    _FEATURES / "base" / "durations.py",
    _FEATURES / "base" / "rates.py",
    _SCORING / "admission",
    _SCORING / "intake.py",
    _SCORING / "measures.py",
    _SCORING / "partition_state.py",
    _ENGINE / "codec.py",
    _ENGINE / "future.py",
    _ENGINE / "homes.py",
    _ENGINE / "moved_header.py",
    _ENGINE / "repartition_header.py",
    _ENGINE / "settings_history.py",
    _STREAMS / "kafka" / "partitioners.py",
    *(_STREAMS / "wire" / f"{name}.py" for name in ("framing", "parts", "avro", "protobuf", "refusals", "wire")),
)


def module_path(name: str) -> Path:
    """Return the file of a module, which need not exist yet; its package must."""
    package, _, module = name.rpartition(".")
    root = import_module(package).__file__
    if root is None:
        raise FileNotFoundError(f"{package} is a package without an __init__.py; give it one, and {name} a place")
    return Path(root).parent / f"{module}.py"
