"""``python -m tests.chaos``: faults on a real platform, and a report. Exit code 1 where anything does not hold."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import report
from tests.chaos.processes import ROOT
from tests.chaos.run import Run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--rate", type=float, default=60.0, help="payments a second")
    parser.add_argument("--folder", type=Path, help="where the platform lives; a temporary folder by default")
    parser.add_argument("--report", action="store_true", help="write benchmarks/results/chaos.json and docs/chaos.md")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="driftloop-chaos-") as folder:
        place = (options.folder or Path(folder)) / "platform"

        def tell(text: str) -> None:
            sys.stdout.write(f"{time.monotonic() - began:7.1f} s  {text}\n")

        result = Run(place.absolute(), options.seed, options.faults, options.rate, tell).run()
    summary = report.summary(result, options.rate)
    sys.stdout.write(report.table(summary) + "\n")
    if options.report:
        report.write(summary, ROOT / "benchmarks" / "results" / "chaos.json", ROOT / "docs" / "chaos.md")
    return 1 if result.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
