"""The scorer's throughput by partitions and scorers, and its table."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.common import Machine, describe, read


class Point(msgspec.Struct, frozen=True):
    """``events`` over ``partitions`` by ``scorers`` processes: wall seconds, and CPU seconds of all of them."""

    partitions: int
    scorers: int
    events: int
    wall_s: float
    cpu_s: float


class Growth(msgspec.Struct, frozen=True):
    """Every combination, in turn, over the same events."""

    machine: Machine
    events: int
    subjects: int
    points: list[Point]


def section(path: Path) -> str:
    """Markdown of one result."""
    result = read(path, Growth)
    first = result.points[0]
    lines = [
        describe(result.machine),
        "",
        f"{first.events:,} transactions of {result.subjects:,} cards, as a backlog. The scorers share the cores with the broker "
        "and "
        "one model server.",
        "",
        "| partitions | scorers | wall s | CPU s of the scorers | events / s | events / CPU s | events / s of the first |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for point in result.points:
        rate, share = point.events / point.wall_s, first.wall_s / point.wall_s
        lines.append(
            f"| {point.partitions} | {point.scorers} | {point.wall_s:.2f} | {point.cpu_s:.2f} | {rate:,.0f} "
            f"| {point.events / point.cpu_s:,.0f} | {share:.2f} |"
        )
    return "\n".join(lines)
