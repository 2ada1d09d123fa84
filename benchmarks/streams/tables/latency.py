"""Latency: the result, and its table."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.common import Machine, at_most, describe, read
from benchmarks.streams.tables.throughput import LIMIT, SCORER

#: The scorer's p50 and p99 against the bare hop's; its p99 at 1,000 events/s, in ms.
GOAL_TIMES, GOAL_MS, GOAL_RATE = 2.0, 50.0, 1_000


class Hop(msgspec.Struct, frozen=True):
    """Send to receive at ``rate`` events a second over ``events``, in ms. ``sent``: events a second that were really sent."""

    way: str
    rate: int
    events: int
    sent: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float


class Latency(msgspec.Struct, frozen=True):
    """Both ways at every rate, in turns."""

    machine: Machine
    rounds: int
    seconds: float
    hops: list[Hop]


def section(path: Path) -> str:
    """Markdown of one result."""
    result = read(path, Latency)
    lines = [
        describe(result.machine),
        "",
        "| events / s | | events | really sent / s | p50 ms | p95 ms | p99 ms | p99.9 ms |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {hop.rate:,} | {hop.way} | {hop.events:,} | {hop.sent:,.0f} "
        f"| {hop.p50_ms:.1f} | {hop.p95_ms:.1f} | {hop.p99_ms:.1f} | {hop.p999_ms:.1f} |"
        for hop in result.hops
    ]
    lines += [
        "",
        f"{result.rounds} rounds of {result.seconds:g} s each, the two in turns. p50, p95 and so on are over all rounds.",
        "",
    ]
    for rate in dict.fromkeys(hop.rate for hop in result.hops):
        scorer, limit = (next(hop for hop in result.hops if (hop.way, hop.rate) == (way, rate)) for way in (SCORER, LIMIT))
        for what, value in (("p50", scorer.p50_ms / limit.p50_ms), ("p99", scorer.p99_ms / limit.p99_ms)):
            lines.append(at_most(f"{what} at {rate:,} events/s against the bare hop", value, GOAL_TIMES, "x"))
        if rate == GOAL_RATE:
            lines.append(at_most(f"p99 at {rate:,} events/s", scorer.p99_ms, GOAL_MS, " ms"))
    return "\n".join(lines)
