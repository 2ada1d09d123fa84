"""A benchmark reads no option that its command line has not: types cannot tell, and a run finds out after minutes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
#: What several command lines share.
SHARED = ROOT / "benchmarks" / "streams" / "options.py"
MODULES = sorted(
    path
    for folder in ("benchmarks", "tests/chaos", "tests/fuzz")
    for path in (ROOT / folder).rglob("*.py")
    if ".parse_args(" in path.read_text()
)


def read(tree: ast.AST) -> set[str]:
    """Attributes of what is called ``options``."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "options"
    }


def offered(tree: ast.AST) -> set[str]:
    """Names under which the command line's options are kept."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            name = named.get("dest", node.args[0] if node.args else None)
            assert isinstance(name, ast.Constant)
            names.add(str(name.value).lstrip("-").replace("-", "_"))
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_option_that_is_read_is_offered(path: Path) -> None:
    tree = ast.parse(path.read_text())
    options = offered(tree)
    if "streams.options import parser" in path.read_text():
        options |= offered(ast.parse(SHARED.read_text()))
    assert options
    assert read(tree) <= options
