"""What the benchmarks share: the machine they ran on, repeated timings, and results as JSON."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")

#: Where ``make bench-features`` writes, and the report looks.
RESULTS = Path(__file__).parent / "results"


class Machine(msgspec.Struct, frozen=True):
    """Where and when a result was measured. ``load`` is the mean number of running processes in the minute before."""

    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str
    date: str
    load: float


class Spread(msgspec.Struct, frozen=True):
    """Median, lowest and highest of ``n`` measurements."""

    median: float
    low: float
    high: float
    n: int


def machine() -> Machine:
    """This machine, now."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        load=round(os.getloadavg()[0], 2),
    )


def describe(m: Machine) -> str:
    """One line for a document."""
    return (
        f"Measured on {m.date}: {m.cpu}, {m.cores} cores, {m.memory_gib:.0f} GiB, Python {m.python}; "
        f"load of the machine when it began: {m.load:.1f}."
    )


def spread(values: Sequence[float]) -> Spread:
    """Raises statistics.StatisticsError where there are none."""
    return Spread(statistics.median(values), min(values), max(values), len(values))


def write(result: msgspec.Struct, path: Path) -> None:
    """As indented JSON; makes the folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")


def read(path: Path, kind: type[T]) -> T:
    """The inverse of ``write``."""
    return msgspec.json.decode(path.read_bytes(), type=kind)


def goal(what: str, value: float, least: float, unit: str = "x") -> str:
    """A line that says whether ``value`` reaches ``least``, and by how much it does or does not."""
    share = value / least
    verdict = f"reached ({share:.2f} times the goal)" if value >= least else f"MISSED ({share:.2f} of the goal)"
    return f"- Goal, {what}, >= {least:,.10g}{unit}: {_short(value)}{unit}, {verdict}."


def at_most(what: str, value: float, most: float, unit: str) -> str:
    """A line that says whether ``value`` stays within ``most``, and by how much it does or does not."""
    verdict = "reached" if value <= most else "MISSED"
    return f"- Goal, {what}, <= {most:,.10g}{unit}: {value:,.2f}{unit}, {verdict} ({value / most:.2f} of what is allowed)."


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")
