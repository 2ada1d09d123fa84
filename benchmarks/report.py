"""``python -m benchmarks.report docs/benchmarks.md``: write every table of the document anew from benchmarks/results/*.json."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.backfill import report as backfill
from benchmarks.common import RESULTS
from benchmarks.feast import report as feast
from benchmarks.handbook import report as handbook
from benchmarks.marks import put
from benchmarks.streams.tables import cards, growth, latency, state, throughput, tuning
from benchmarks.transform import report as transform
from benchmarks.wire import report as wire

#: By the name of its result and of its marks: what makes Markdown of the result's file.
SECTIONS: dict[str, Callable[[Path], str]] = {
    "transform": transform.section,
    "backfill": backfill.section,
    "feast": feast.section,
    "streams-throughput": throughput.section,
    "streams-latency": latency.section,
    "streams-tuning": tuning.section,
    "streams-growth": growth.section,
    "streams-cards": cards.section,
    "streams-state": state.section,
    "wire": wire.section,
}


def main(arguments: list[str], results: Path = RESULTS) -> int:
    """0, or 2 with one line on standard error where the document or its marks are missing. What has no result stays as it is."""
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        print("give one document, for example docs/benchmarks.md", file=sys.stderr)
        return 2
    document = Path(arguments[0])
    try:
        for name, section in SECTIONS.items():
            path = results / f"{name}.json"
            if path.exists():
                put(document, name, section(path))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    runs = sorted(results.glob("handbook*.json"), key=lambda path: path.stem)
    return handbook.main([str(document), *map(str, runs)]) if runs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
