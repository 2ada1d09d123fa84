"""The scorer's throughput by the cards in its state, and its table."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.common import Machine, describe, read


class Point(msgspec.Struct, frozen=True):
    """``events`` while the scorer's state held ``held`` cards with ``rows`` payments each, in the mean; ``mib`` of state.

    ``held`` and ``mib``, before the measurement, are what the scorer's own metrics say, and so are the wall seconds
    ``profile_s`` in which it read profiles and made columns of them.
    """

    held: int
    rows: float
    mib: float
    events: int
    wall_s: float
    cpu_s: float
    profile_s: float


class Cards(msgspec.Struct, frozen=True):
    """Every size in turn, ``rounds`` times, over the same payments by other cards. Redis holds ``profiles`` throughout."""

    machine: Machine
    partitions: int
    rounds: int
    profiles: int
    points: list[Point]


def section(path: Path) -> str:
    """Markdown of one result."""
    result = read(path, Cards)
    first = result.points[0]
    lines = [
        describe(result.machine),
        "",
        f"{first.events:,} transactions as a backlog, by cards drawn evenly from all that the state holds; one scorer, "
        f"{result.partitions} partitions. Redis holds the profiles of {result.profiles:,} cards at every size.",
        "",
        "| cards in state | transactions a card before | state MiB | wall s | profiles, wall s | CPU s | events / s "
        "| events / CPU s | of the first |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {point.held:,} | {point.rows:.1f} | {point.mib:,.0f} | {point.wall_s:.2f} | {point.profile_s:.2f} "
        f"| {point.cpu_s:.2f} | {point.events / point.wall_s:,.0f} | {point.events / point.cpu_s:,.0f} "
        f"| {point.events / point.cpu_s / (first.events / first.cpu_s):.2f} |"
        for point in result.points
    ]
    lines += ["", f"{result.rounds} rounds, the sizes in turn; of each the one with the least CPU time."]
    return "\n".join(lines)
