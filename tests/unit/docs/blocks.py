"""The parts of the pages that are made from the code: between ``<!-- NAME -->`` and ``<!-- end -->``, each on its line.

``python -m tests.unit.docs.blocks`` writes all of them anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from infra.security import acl
from streams.drift.data import tables
from streams.topology import TOPOLOGY
from tests import stock_clients
from tests.unit.docs import rooms
from tests.unit.docs.pages import ROOT

END = "<!-- end -->"


class Block(NamedTuple):
    """A part of a page in docs/, and the function that makes it."""

    page: str
    name: str
    made: Callable[[], str]


BLOCKS = (
    Block("streams.md", "topology", TOPOLOGY.markdown),
    Block("security.md", "rights", acl.markdown),
    Block("drift.md", "watched", tables.watched),
    Block("drift.md", "faults", tables.rules),
    Block("drift.md", "aftermath", tables.aftermath),
    Block("serving.md", "clients", stock_clients.markdown),
    Block("architecture.md", "processors", TOPOLOGY.markdown),
    *(Block("architecture.md", package, rooms.table_of(package)) for package in rooms.PACKAGES),
)


def path(block: Block) -> Path:
    """Return the file of a block's page."""
    return ROOT / "docs" / block.page


def shown(block: Block) -> str:
    """Return what the page shows between the marks."""
    text, begin = path(block).read_text(), f"<!-- {block.name} -->\n"
    start = text.index(begin) + len(begin)
    return text[start : text.index(END, start)]


def write(block: Block) -> None:
    """Replace what the page shows by what the code makes."""
    text, begin = path(block).read_text(), f"<!-- {block.name} -->\n"
    start = text.index(begin) + len(begin)
    path(block).write_text(text[:start] + block.made() + text[text.index(END, start) :])


if __name__ == "__main__":
    for each in BLOCKS:
        write(each)
