"""The streams' results, and their tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.common import Machine, describe, goal, read
from benchmarks.streams.phases import Phases
from benchmarks.streams.profile import Profile

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
    cards: int
    partitions: int
    value_bytes: float
    rates: list[Rate]
    profile: Profile | None = None
    phases: Phases | None = None


def best(rates: Sequence[Rate], way: str) -> Rate | None:
    """The one with the most events a CPU second; None where the way was not measured."""
    return max((rate for rate in rates if rate.way == way), key=lambda rate: rate.per_cpu_s, default=None)


def throughput(path: Path) -> str:
    """Markdown of one result."""
    result = read(path, Throughput)
    limit, scorer = best(result.rates, LIMIT), best(result.rates, SCORER)
    if limit is None or scorer is None:
        raise ValueError(f"{path} lacks the limit or the scorer; run benchmarks.streams.throughput anew")
    lines = [
        describe(result.machine),
        "",
        f"A topic of {result.events:,} transactions of {result.value_bytes:,.0f} bytes, {result.cards:,} cards,"
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
        lines += ["", *_phases(result.phases)]
    if result.profile is not None:
        lines += ["", *_profile(result.profile)]
    return "\n".join(lines)


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


#: The scorer's p50 and p99 against the bare hop's; its p99 at 1,000 events/s, in ms.
GOAL_TIMES, GOAL_MS, GOAL_RATE = 2.0, 50.0, 1_000


def latency(path: Path) -> str:
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


class Growth(msgspec.Struct, frozen=True):
    """Transform and admission at ``cards`` cards of ``rows`` transactions each, in the mean."""

    cards: int
    rows: float
    events: int
    cpu_s: float
    mib: float


class Held(msgspec.Struct, frozen=True):
    """What a partition's state takes: bytes of its cards and of the ids that came, and of a whole snapshot."""

    cards: int
    rows: int
    days: int
    card_bytes: int
    admission_bytes: int
    snapshot_bytes: int


class Kept(msgspec.Struct, frozen=True):
    """A snapshot of ``cards`` cards: copied in steps of ``cards_a_step`` (its longest pause), encoded, written, read, loaded."""

    cards: int
    rows: int
    mb: float
    cards_a_step: int
    steps: int
    longest_pause_ms: float
    copy_cpu_s: float
    write_s: float
    write_cpu_s: float
    read_s: float
    load_s: float
    restore_cpu_s: float


class State(msgspec.Struct, frozen=True):
    """The scorer's state of one partition."""

    machine: Machine
    held: Held
    kept: list[Kept]
    growth: list[Growth]


GOAL_BYTES = 2_000


def state(path: Path) -> str:
    """Markdown of one result."""
    result = read(path, State)
    held = result.held
    a_card = held.card_bytes / held.cards
    lines = [
        describe(result.machine),
        "",
        f"{held.cards:,} cards with {held.rows / held.cards:.0f} transactions each in {held.days} days: "
        f"{a_card:,.0f} bytes a card for its history"
        f" ({held.card_bytes / held.rows:.1f} a transaction), "
        f"{held.admission_bytes / held.cards:,.0f} bytes a card for the ids of the last 24 hours,"
        f" {held.snapshot_bytes / held.cards:,.0f} bytes a card in a snapshot.",
        "",
        "| snapshot of cards | rows | MB | steps of cards "
        "| longest pause of a step ms | copy CPU s | write s | MB / s | read s | load s | restored MB / s |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {k.cards:,} | {k.rows:,} | {k.mb:,.1f} | {k.steps:,} x {k.cards_a_step:,} "
        f"| {k.longest_pause_ms:.1f} | {k.copy_cpu_s:.2f} | {k.write_s:.2f} "
        f"| {k.mb / k.write_s:,.0f} | {k.read_s:.2f} | {k.load_s:.2f} | {k.mb / (k.read_s + k.load_s):,.0f} |"
        for k in result.kept
    ]
    first = result.growth[0]
    lines += [
        "",
        "| cards | transactions a card | state MiB | events | events / CPU s | of the first |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {g.cards:,} | {g.rows:.1f} | {g.mib:,.0f} | {g.events:,} "
        f"| {g.events / g.cpu_s:,.0f} | {g.events / g.cpu_s / (first.events / first.cpu_s):.2f} |"
        for g in result.growth
    ]
    lines += ["", at_most("bytes a card's history takes", a_card, GOAL_BYTES, "")]
    return "\n".join(lines)


def at_most(what: str, value: float, most: float, unit: str) -> str:
    """A line that says whether ``value`` stays within ``most``, and by how much it does or does not."""
    verdict = "reached" if value <= most else "MISSED"
    return f"- Goal, {what}, <= {most:,.10g}{unit}: {value:,.2f}{unit}, {verdict} ({value / most:.2f} of what is allowed)."


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


def _phases(phases: Phases) -> list[str]:
    lines = [
        f"The scorer's steps over {phases.events:,} events: {phases.process_us:.1f} us CPU an event in all threads of its "
        f"process, of which {phases.loop_us:.1f} in its loop:",
        "",
        "| step | CPU us an event | of the process's | wall us an event |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {phase.what} | {phase.cpu_us:.2f} | {phase.cpu_us / phases.process_us:.0%} | {phase.wall_us:.2f} |"
        for phase in phases.phases
    ]
    others = phases.process_us - phases.loop_us
    return [*lines, f"| librdkafka's and gRPC's threads | {others:.2f} | {others / phases.process_us:.0%} | |"]


def _profile(profile: Profile) -> list[str]:
    lines = [
        f"The scorer's loop under cProfile, {profile.events:,} events in {profile.batches} batches: "
        f"{profile.total_us:.1f} us CPU an event in its thread.",
        "",
        "| function | own us an event | share | calls an event |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| `{line.function}` | {line.own_us:.2f} | {line.own_us / profile.total_us:.0%} | {line.calls:.2f} |"
        for line in profile.lines[:10]
    ]
    return lines
