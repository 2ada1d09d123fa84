"""A document's generated sections: what lies between two marks is written anew, the rest stays."""

from __future__ import annotations

from pathlib import Path


def begin(name: str) -> str:
    """The line before a section."""
    return f"<!-- {name}: begin, generated from benchmarks/results -->"


def end(name: str) -> str:
    """The line after it."""
    return f"<!-- {name}: end -->"


def put(document: Path, name: str, section: str) -> None:
    """Write ``section`` between the marks of ``name``. Raises ValueError where the document lacks them."""
    text = document.read_text(encoding="utf-8")
    head, opened, rest = text.partition(begin(name))
    _, closed, tail = rest.partition(end(name))
    if not opened or not closed:
        raise ValueError(f"{document} lacks the lines {begin(name)} and {end(name)}; put them where the tables belong")
    document.write_text(f"{head}{opened}\n\n{section}\n\n{closed}{tail}", encoding="utf-8")
