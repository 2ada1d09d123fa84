"""Hash source code by what it does, so that a hash outlives a move of its files.

Imports, comments and docstrings do not count, nor do the names of files and folders, the order of definitions or which of the
files holds one. What counts is every other statement, its names and annotations included.

What this cannot see: that a name is imported from another module now, where both modules define it. So files that are hashed
together must not define one name in two ways; tests/unit/features/base/test_fingerprint.py holds them to it.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def canonical(source: str) -> str:
    """Give the source of a module without imports, comments and docstrings, as ``ast.unparse`` writes it."""
    return ast.unparse(ast.Module(_bare(ast.parse(source).body), []))


def of_code(places: Iterable[Path], *sources: str) -> str:
    """Hash files, folders and further sources together: 64 hexadecimal digits.

    A folder stands for the modules that lie in it, without those of its sub-folders. Raises FileNotFoundError for a place that
    does not exist, and for a folder without modules.
    """
    statements = set[str]()
    for source in (*(path.read_text() for place in places for path in modules(place)), *sources):
        statements |= _statements(source)
    return hashlib.sha256("\n".join(sorted(statements)).encode()).hexdigest()


def modules(place: Path) -> list[Path]:
    """List the modules of a folder; a file is its own only one."""
    if not place.is_dir():
        return [place]
    paths = sorted(place.glob("*.py"))
    if not paths:
        raise FileNotFoundError(f"{place} holds no modules, and their sources are hashed; install driftloop with its sources")
    return paths


@cache
def _statements(source: str) -> frozenset[str]:
    """Hash each top-level statement. Cached, for the same files are part of several hashes and parsing is slow."""
    return frozenset(hashlib.sha256(ast.unparse(node).encode()).hexdigest() for node in _bare(ast.parse(source).body))


def _bare(body: list[ast.stmt]) -> list[ast.stmt]:
    """Strip statements, and what lies within them, of imports and of strings that stand alone."""
    kept = [node for node in body if not _is_import(node) and not _is_text(node)]
    for node in kept:
        for block in (node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            for part in ("body", "orelse", "finalbody"):
                if inner := getattr(block, part, None):
                    setattr(block, part, _bare(inner) or [ast.Pass()])
    return kept


def _is_import(node: ast.stmt) -> bool:
    """Tell whether a statement imports; ``if TYPE_CHECKING:`` with nothing but imports counts as one."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return not node.orelse and all(map(_is_import, node.body))
    return isinstance(node, ast.Import | ast.ImportFrom)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
