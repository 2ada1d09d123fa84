"""docs/how-to-add-a-feature.md, followed to the letter in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs" / "how-to-add-a-feature.md"
EDIT = re.compile(r"```diff\n--- (?P<file>\S+)\n (?P<line>[^\n]+)\n(?P<added>(?:\+[^\n]*\n)+)```")


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The parts of the project that the page touches."""
    leave = shutil.ignore_patterns("__pycache__", "integration", "e2e")
    for name in ("features", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=leave)
    (tmp_path / "docs").mkdir()
    return tmp_path


def edit(folder: Path, step: re.Match[str]) -> None:
    path = folder / step["file"]
    text = path.read_text()
    assert text.count(step["line"]) == 1, f"{step['file']} has no such line any more, or several: {step['line']}"
    added = "\n".join(line[1:] for line in step["added"].splitlines())
    path.write_text(text.replace(step["line"], f"{step['line']}\n{added}"))


def test_the_page_adds_a_feature_that_equals_its_naive_reference(copy: Path) -> None:
    entry, reference = EDIT.finditer(PAGE.read_text())
    edit(copy, entry)
    # Before `make features`, nothing may start.
    with pytest.raises(AssertionError, match="run make features"):
        run(copy, "-c", "import features.transform.update")
    run(copy, "-m", "features.catalogue.generate")
    assert "share_of_largest_7d" in (copy / "docs" / "features.md").read_text()
    edit(copy, reference)
    script = """
from tests.unit.features.naive import DAY, Event, vectors
from tests.unit.features.transform.test_update import START, in_batches
from features.catalogue.vector import INDEX
events = [Event("c", START + i * DAY // 3, (7 * i * i) % 1000) for i in range(40)]
got = in_batches(events, [7, 1])[:, INDEX["share_of_largest_7d"]]
want = [row["share_of_largest_7d"] for row in vectors(events)]
import numpy as np
assert (got == np.array(want, dtype=np.float32)).all(), (got, want)
print("equal", len(got))
"""
    assert run(copy, "-c", script).strip() == "equal 40"
