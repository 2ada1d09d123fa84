"""Warming up leaves nothing for the first batch to compile."""

from __future__ import annotations

import subprocess
import sys


def test_the_first_batch_compiles_nothing() -> None:
    """In a process of its own: in this one, other tests have compiled everything."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.streams.scoring.first_batch"], capture_output=True, text=True, check=True
    )
    count, _, compiled = done.stdout.strip().partition(" ")
    assert int(count) > 5
    assert compiled == "[]"
