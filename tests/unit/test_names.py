"""Names of variables are nouns of the domain: the empty words that crept in before do not come back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EMPTY = {"found", "there", "now", "told", "said", "one"}
PACKAGES = ("features", "streams", "serving", "retrain", "infra", "dashboards", "benchmarks", "tests")


def bound(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that is given to something, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.ExceptHandler):
            yield node.lineno, node.name or ""


@pytest.mark.parametrize("package", PACKAGES)
def test_no_variable_has_an_empty_name(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, name in bound(ast.parse(path.read_text()))
        if name in EMPTY
    ]
    assert wrong == []


def test_what_is_looked_for_is_seen() -> None:
    source = """
for one in x:
    self.found = lambda now: one
try:
    pass
except E as said:
    pass
def told(): pass
there: int = 1
"""
    assert {name for _, name in bound(ast.parse(source))} == EMPTY
