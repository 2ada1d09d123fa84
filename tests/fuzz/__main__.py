"""``python -m tests.fuzz [--records N] [--seed S] [--broker] [--write]``: see docs/fuzz.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from benchmarks.common import RESULTS, Machine, machine
from tests.fuzz.core import Found, fuzz

FILE = RESULTS / "fuzz.json"


class Results(msgspec.Struct):
    """benchmarks/results/fuzz.json."""

    machine: Machine
    core: Found | None = None
    broker: Found | None = None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Hostile records through the scorer.")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broker", action="store_true", help="through a real broker and the scorer's process")
    parser.add_argument("--write", type=Path, nargs="?", const=FILE, help=f"keep the result in {FILE.name}, the other half stays")
    chosen = parser.parse_args()
    if chosen.records < 10:
        parser.error("--records must be 10 or more")
    here = machine()
    if chosen.broker:
        from tests.fuzz.broker import fuzz_broker

        tally = fuzz_broker(chosen.seed, chosen.records)
    else:
        tally = fuzz(chosen.seed, chosen.records)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(tally), indent=2).decode() + "\n")
    if chosen.write:
        results = msgspec.json.decode(chosen.write.read_bytes(), type=Results) if chosen.write.exists() else Results(here)
        results.machine = here
        setattr(results, "broker" if chosen.broker else "core", tally)
        chosen.write.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")


if __name__ == "__main__":
    main()
