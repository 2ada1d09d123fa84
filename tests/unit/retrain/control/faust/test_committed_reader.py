"""What is private in Faust and aiokafka is touched in one file, by names that stand in its table and in the versions read."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import aiokafka.consumer.consumer
import faust.transport.consumer
import faust.transport.drivers.aiokafka
import pytest

from retrain.control.faust import committed_reader

ROOM = Path(committed_reader.__file__).parent
ROOT = ROOM.parents[2]
LIBRARIES = {"faust", "aiokafka", "mode"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def listed() -> set[str]:
    table = [line.split("|")[1] for line in (committed_reader.__doc__ or "").splitlines() if line.startswith("|")]
    return {name for cell in table for name in re.findall(r"``(\w+)``", cell)}


def test_the_versions_that_are_installed_are_those_that_were_read() -> None:
    assert {name: version(name) for name in committed_reader.READ} == committed_reader.READ


def test_each_private_name_is_explained_and_is_there() -> None:
    nodes = list(ast.walk(tree(ROOM / "committed_reader.py")))
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute) and private(node.attr)}
    used |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and private(node.name)}
    own = {"_fetched", "_in_thread", "_readings", "_rewind"}
    assert used - own == listed()
    modules = (faust.transport.consumer, faust.transport.drivers.aiokafka, aiokafka.consumer.consumer)
    known = set(re.findall(r"\b_\w+", "".join(map(inspect.getsource, modules))))
    assert listed() <= known
    assert not own & known


def foreign(path: Path) -> Iterator[str]:
    """Private attributes of others than ``self``."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and private(node.attr):
            own = isinstance(node.value, ast.Name) and node.value.id == "self"
            if not own:
                yield node.attr


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.stem)
def test_no_other_file_of_the_room_touches_what_is_private(path: Path) -> None:
    assert path.name == "committed_reader.py" or not list(foreign(path))


def test_nothing_outside_of_the_room_imports_the_libraries() -> None:
    importing = set()
    for path in (
        path
        for room in ("features", "streams", "serving", "retrain", "infra", "dashboards")
        for path in ROOT.glob(f"{room}/**/*.py")
    ):
        for node in ast.walk(tree(path)):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if LIBRARIES & {name.split(".")[0] for name in names}:
                importing.add(path)
    assert {path.parent for path in importing} == {ROOM}
