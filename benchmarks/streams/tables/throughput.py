"""Throughput: the result, and its table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.common import Machine, describe, goal, read
from benchmarks.streams.phases import Phases
from benchmarks.streams.profile import Profile
from benchmarks.streams.tables import steps

#: The scorer is to reach this share of the limit, and to be so many times as fast as these.
GOAL_LIMIT, GOAL_QUIX, GOAL_FAUST = 0.4, 5.0, 50.0
LIMIT, SCORER, QUIX, FAUST = "the limit", "the scorer", "Quix Streams", "Faust"


class Rate(msgspec.Struct, frozen=True):
    """One process over a backlog of ``events``: wall and CPU seconds until its last output. ``max_batch`` 0: by the event."""

    way: str
    max_batch: int
    events: int
    wall_s: float
    cpu_s: float
    note: str = ""

    @property
    def per_s(self) -> float:
        """Events a second of wall time."""
        return self.events / self.wall_s

    @property
    def per_cpu_s(self) -> float:
        """Events a CPU second of the process."""
        return self.events / self.cpu_s


class Throughput(msgspec.Struct, frozen=True):
    """Every way over the same topic. ``value_bytes``: of a transaction in the mean."""

    machine: Machine
    events: int
    subjects: int
    partitions: int
    value_bytes: float
    rates: list[Rate]
    profile: Profile | None = None
    phases: Phases | None = None


def best(rates: Sequence[Rate], way: str) -> Rate | None:
    """The one with the most events a CPU second; None where the way was not measured."""
    return max((rate for rate in rates if rate.way == way), key=lambda rate: rate.per_cpu_s, default=None)


def section(path: Path) -> str:
    """Markdown of one result."""
    result = read(path, Throughput)
    limit, scorer = best(result.rates, LIMIT), best(result.rates, SCORER)
    if limit is None or scorer is None:
        raise ValueError(f"{path} lacks the limit or the scorer; run benchmarks.streams.throughput anew")
    lines = [
        describe(result.machine),
        "",
        f"A topic of {result.events:,} transactions of {result.value_bytes:,.0f} bytes, {result.subjects:,} cards,"
        f" {result.partitions} partitions.",
        "",
        "| | max batch | events | wall s | CPU s | events / s | events / CPU s | of the limit | the scorer is faster by |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [_rate(rate, limit, scorer) for rate in result.rates]
    lines += [
        "",
        "The last two columns are of events / CPU s, against the best of the limit and of the scorer.",
        "",
        goal("share of the limit's events a CPU second", scorer.per_cpu_s / limit.per_cpu_s, GOAL_LIMIT, ""),
        goal(
            "share of the limit's events a second", _fastest(result.rates, SCORER) / _fastest(result.rates, LIMIT), GOAL_LIMIT, ""
        ),
    ]
    for way, least in ((QUIX, GOAL_QUIX), (FAUST, GOAL_FAUST)):
        for rate in (rate for rate in result.rates if rate.way == way):
            named = f"against {way}{', ' + rate.note if rate.note else ''}, events a CPU second"
            lines.append(goal(named, scorer.per_cpu_s / rate.per_cpu_s, least))
        if best(result.rates, way) is None:
            lines.append(f"- Goal, against {way}, >= {least:g}x: not measured.")
    if result.phases is not None:
        lines += ["", *steps.phases(result.phases)]
    if result.profile is not None:
        lines += ["", *steps.profile(result.profile)]
    return "\n".join(lines)


def _fastest(rates: Sequence[Rate], way: str) -> float:
    return max(rate.per_s for rate in rates if rate.way == way)


def _rate(rate: Rate, limit: Rate, scorer: Rate) -> str:
    name = f"{rate.way}, {rate.note}" if rate.note else rate.way
    batch = f"{rate.max_batch:,}" if rate.max_batch else "1"
    return (
        f"| {name} | {batch} | {rate.events:,} | {rate.wall_s:.2f} | {rate.cpu_s:.2f} "
        f"| {rate.per_s:,.0f} | {rate.per_cpu_s:,.0f} "
        f"| {rate.per_cpu_s / limit.per_cpu_s:.3f} | {scorer.per_cpu_s / rate.per_cpu_s:.1f}x |"
    )
