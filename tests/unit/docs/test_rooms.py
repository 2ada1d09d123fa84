"""The tables of rooms hold each room that the tree has, and nothing else."""

from __future__ import annotations

import pytest

from tests.unit.docs import rooms
from tests.unit.docs.pages import ROOT


@pytest.mark.parametrize("package", rooms.PACKAGES)
def test_every_room_has_a_floor(package: str) -> None:
    here = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    here |= {path.stem for path in (ROOT / package).glob("*.py") if path.name != "__init__.py"}
    assert {room for floor in rooms.layers(package) for room in floor} == here


def test_the_table_begins_with_the_top_floor() -> None:
    lines = rooms.table("serving").splitlines()
    assert lines[2].startswith("| 3 | [server](../serving/server) | ")
    assert lines[-1].startswith("| 1 | [store](../serving/store) | ")
