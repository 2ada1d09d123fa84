"""Which settings matter for latency: the result, and its table."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.common import Machine, describe, read


class Changed(msgspec.Struct, frozen=True):
    """The bare hop over ``events``, in ms, with ``tried`` in place of ``ours``; alike: nothing was changed."""

    setting: str
    ours: str
    tried: str
    events: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Tuning(msgspec.Struct, frozen=True):
    """The hop as it is and with one change each, in turns, at ``rate`` events a second."""

    machine: Machine
    rate: int
    rounds: int
    seconds: float
    ways: list[Changed]


def section(path: Path) -> str:
    """Markdown of one result."""
    result = read(path, Tuning)
    lines = [
        describe(result.machine),
        "",
        f"| the bare hop at {result.rate:,} events/s | ours | tried | events | p50 ms | p95 ms | p99 ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for way in result.ways:
        what = ("as it is", "", "") if way.ours == way.tried else (way.setting, way.ours, way.tried)
        lines.append(
            f"| {what[0]} | {what[1]} | {what[2]} | {way.events:,} | {way.p50_ms:.1f} | {way.p95_ms:.1f} | {way.p99_ms:.1f} |"
        )
    lines += ["", f"{result.rounds} rounds of {result.seconds:g} s each, all in turns on one broker."]
    return "\n".join(lines)
