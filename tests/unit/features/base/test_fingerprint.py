"""What counts in a hash of source code, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.base.fingerprint import canonical, of_code

SOURCE = '''"""A module."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from features.history.findings import (  # of ours
    Walk,
)

if TYPE_CHECKING:
    from features.history.late import walk_back

#: A limit.
LIMIT = 3
"""How much is taken."""


class Count:
    """Counts."""

    n: int = 0


def taken(count: int) -> float:
    """Say what is taken."""
    import json

    try:
        import yaml
    except ImportError:
        return 0.0
    return count + LIMIT  # both
'''
BARE = """LIMIT = 3

class Count:
    n: int = 0

def taken(count: int) -> float:
    try:
        pass
    except ImportError:
        return 0.0
    return count + LIMIT"""


def test_imports_comments_and_docstrings_are_left_out_wherever_they_stand() -> None:
    assert canonical(SOURCE) == BARE
    assert canonical(BARE) == BARE


def test_a_branch_that_does_more_than_import_counts() -> None:
    assert canonical("if TYPE_CHECKING:\n    import a\nelse:\n    a = 1\n") == "if TYPE_CHECKING:\n    pass\nelse:\n    a = 1"
    assert canonical("match n:\n    case 1:\n        import a\n") == "match n:\n    case 1:\n        pass"
    assert canonical("def f():\n    '''Text.'''\n") == canonical("def f():\n    pass\n")


def write(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_names_of_files_and_the_order_and_place_of_definitions_do_not_count(tmp_path: Path) -> None:
    before = write(tmp_path / "before", a="import b\nA = 1\nB = 2\n", b="C = 3\n")
    after = write(tmp_path / "after", x="C = 3\nA = 1\n", y="from x import A\nB = 2\n")
    assert (
        of_code([before])
        == of_code([after])
        == of_code(sorted(after.iterdir(), reverse=True))
        == of_code([], "A = 1\nB = 2\nC = 3")
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [("count + LIMIT", "count - LIMIT"), ("LIMIT = 3", "LIMIT = 4"), ("n: int", "n: float"), ("ImportError", "ValueError")],
)
def test_any_other_code_counts(old: str, new: str) -> None:
    assert of_code([], SOURCE) != of_code([], SOURCE.replace(old, new))
    assert canonical(SOURCE) != canonical(SOURCE.replace(old, new))


def test_a_folder_stands_for_its_own_modules(tmp_path: Path) -> None:
    room = write(tmp_path / "room", a="A = 1\n")
    write(room / "inner", b="B = 2\n")
    (room / "notes.txt").write_text("no module")
    assert of_code([room]) == of_code([room / "a.py"])


def test_a_place_without_sources_is_refused_by_name(tmp_path: Path) -> None:
    """Its hash would be that of nothing, and stay the same whatever the code did."""
    with pytest.raises(FileNotFoundError, match=r"room holds no modules.*install driftloop with its sources"):
        of_code([write(tmp_path / "room")])
    with pytest.raises(FileNotFoundError, match=r"gone\.py"):
        of_code([tmp_path / "gone.py"])
