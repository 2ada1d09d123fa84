"""The rooms of each package, from the layers in pyproject.toml and the first line of each room's docstring."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.unit.docs.pages import ROOT

PACKAGES = ("features", "streams", "serving", "retrain", "infra")


def layers(package: str) -> list[list[str]]:
    """Return the rooms of a package by layer, the top floor first; rooms of one layer do not import each other."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = next(contract["layers"] for contract in contracts if contract.get("containers") == [package])
    return [[room.strip("()") for room in layer.split(" | ")] for layer in floors]


def table(package: str) -> str:
    """Return the table of a package's rooms for docs/architecture.md."""
    lines = ["| floor | room | what it holds |", "| ---: | --- | --- |"]
    floors = layers(package)
    for floor, rooms in zip(range(len(floors), 0, -1), floors, strict=True):
        lines += [f"| {floor} | [{room}](../{_path(package, room)}) | {_purpose(package, room)} |" for room in rooms]
    return "\n".join(lines) + "\n"


def table_of(package: str) -> Callable[[], str]:
    """Return the function that makes a package's table."""
    return partial(table, package)


def _path(package: str, room: str) -> str:
    folder = f"{package}/{room}"
    return folder if (ROOT / folder).is_dir() else f"{folder}.py"


def _purpose(package: str, room: str) -> str:
    path: Path = ROOT / _path(package, room)
    source = (path / "__init__.py" if path.is_dir() else path).read_text()
    paragraph = " ".join((ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0].split())
    assert paragraph, f"{path}: begin it with a docstring that says what it holds"
    first = re.match(r".+?\.(?= [A-Z]|$)", paragraph)
    return re.sub(r"``([^`]+)``", r"`\1`", first[0] if first else paragraph)
