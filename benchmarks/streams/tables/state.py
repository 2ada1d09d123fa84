"""The scorer's state: the result, and its tables."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.common import Machine, at_most, describe, read

GOAL_BYTES = 2_000


class Growth(msgspec.Struct, frozen=True):
    """Transform and admission at ``cards`` cards of ``rows`` transactions each, in the mean."""

    subjects: int
    rows: float
    events: int
    cpu_s: float
    mib: float


class Held(msgspec.Struct, frozen=True):
    """What a partition's state takes: bytes of its cards and of the ids that came, and of a whole snapshot."""

    subjects: int
    rows: int
    days: int
    card_bytes: int
    admission_bytes: int
    snapshot_bytes: int


class Kept(msgspec.Struct, frozen=True):
    """A snapshot of ``cards`` cards: copied in steps of ``cards_a_step`` (its longest pause), encoded, written, read, loaded."""

    subjects: int
    rows: int
    mb: float
    subjects_a_step: int
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


def section(path: Path) -> str:
    """Markdown of one result."""
    result = read(path, State)
    held = result.held
    a_card = held.card_bytes / held.subjects
    lines = [
        describe(result.machine),
        "",
        f"{held.subjects:,} cards with {held.rows / held.subjects:.0f} transactions each in {held.days} days: "
        f"{a_card:,.0f} bytes a card for its history"
        f" ({held.card_bytes / held.rows:.1f} a transaction), "
        f"{held.admission_bytes / held.subjects:,.0f} bytes a card for the ids of the last 24 hours,"
        f" {held.snapshot_bytes / held.subjects:,.0f} bytes a card in a snapshot.",
        "",
        "| snapshot of cards | rows | MB | steps of cards "
        "| longest pause of a step ms | copy CPU s | write s | MB / s | read s | load s | restored MB / s |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {k.subjects:,} | {k.rows:,} | {k.mb:,.1f} | {k.steps:,} x {k.subjects_a_step:,} "
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
        f"| {g.subjects:,} | {g.rows:.1f} | {g.mib:,.0f} | {g.events:,} "
        f"| {g.events / g.cpu_s:,.0f} | {g.events / g.cpu_s / (first.events / first.cpu_s):.2f} |"
        for g in result.growth
    ]
    lines += ["", at_most("bytes a card's history takes", a_card, GOAL_BYTES, "")]
    return "\n".join(lines)
