"""The Markdown pages of the project, and what links make of their headings."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """Return a page's text without its blocks of code, in which ``#`` is no heading and ``[]()`` no link."""
    return _FENCE.sub("", page.read_text())


def headings(page: Path) -> list[str]:
    """Return the text of a page's headings, in order, with their marks."""
    return re.findall(r"^#{1,6} .+$", prose(page), re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    return {anchor(heading.lstrip("# ")) for heading in headings(page)}


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading: small letters, hyphens for spaces, no other signs."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
