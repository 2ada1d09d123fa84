"""The command line that the benchmarks of latency share."""

from __future__ import annotations

import argparse
from pathlib import Path


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """``--seconds``, ``--rounds``, ``--cards`` and ``--json`` of the module ``name``."""
    made = argparse.ArgumentParser(name, description=description)
    made.add_argument("--seconds", type=float, default=10.0, help="of each measurement in each round")
    made.add_argument("--rounds", type=int, default=2)
    made.add_argument("--cards", type=int, default=10_000)
    made.add_argument("--json", type=Path, required=True, help="write the result here")
    return made
