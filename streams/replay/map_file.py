"""Map files: a layout of files as data, in TOML or JSON. Those of public data sets lie in ``layouts/``."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import msgspec

from streams.replay.errors import ReplayError
from streams.replay.rules import Rule, read_rule

LAYOUTS = Path(__file__).parent / "layouts"


class MapFile(msgspec.Struct, forbid_unknown_fields=True):
    """What a map file says. ``about``: of what files, in a sentence. ``notes``: what the files have not, and what is assumed.

    ``fields``: rules by field. ``lacks``: why a field that is needed has no rule, by field.
    """

    about: str
    notes: list[str] = []
    fields: dict[str, str | dict[str, object]] = {}
    lacks: dict[str, str] = {}

    def rules(self, name: str) -> dict[str, Rule]:
        """Return its rules by field. Raises ReplayError, naming the field."""
        return {field: read_rule(value, f"{name}: {field}") for field, value in self.fields.items()}


def names() -> list[str]:
    """Return the names of the layouts that ship with the package."""
    return sorted(path.stem for path in LAYOUTS.glob("*.toml"))


def load(name: str) -> MapFile:
    """Read a layout by its name, or a map file by its path (.toml, .json). Raises ReplayError."""
    path = LAYOUTS / f"{name}.toml" if name in names() else Path(name)
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReplayError(
            f"--map-file {name}: there is no such file that can be read, and the layouts are {', '.join(names())}"
        ) from error
    try:
        parsed = json.loads(content) if path.suffix == ".json" else tomllib.loads(content)
        return msgspec.convert(parsed, MapFile)
    except (ValueError, RecursionError) as error:
        raise ReplayError(f"--map-file {name}: {' '.join(str(error).split())}; see docs/files.md") from error
