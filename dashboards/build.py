"""Writes the dashboards as Grafana's JSON: ``python -m dashboards.build``; ``--check`` only says which are out of date."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dashboards import drift, loop
from dashboards.panels import render

FOLDER = Path(__file__).parent / "json"


def files() -> dict[Path, str]:
    """Return every dashboard's file with the text it should hold."""
    return {FOLDER / "loop.json": render(loop.build()), FOLDER / "drift.json": render(drift.build())}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with ``--check`` only say which are out of date; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 where a file is out of date")
    check = parser.parse_args(arguments).check
    stale = {path: text for path, text in files().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        if check:
            sys.stderr.write(f"{path} is out of date; run python -m dashboards.build\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
