"""Where the scorer's time goes: the tables of its steps and of its functions."""

from __future__ import annotations

from benchmarks.streams.phases import Phases
from benchmarks.streams.profile import Profile


def phases(found: Phases) -> list[str]:
    """Lines of Markdown."""
    lines = [
        f"The scorer's steps over {found.events:,} events: {found.process_us:.1f} us CPU an event in all threads of its "
        f"process, of which {found.loop_us:.1f} in its loop:",
        "",
        "| step | CPU us an event | of the process's | wall us an event |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {phase.what} | {phase.cpu_us:.2f} | {phase.cpu_us / found.process_us:.0%} | {phase.wall_us:.2f} |"
        for phase in found.phases
    ]
    others = found.process_us - found.loop_us
    return [*lines, f"| librdkafka's and gRPC's threads | {others:.2f} | {others / found.process_us:.0%} | |"]


def profile(found: Profile) -> list[str]:
    """Lines of Markdown: the ten costliest."""
    lines = [
        f"The scorer's loop under cProfile, {found.events:,} events in {found.batches} batches: "
        f"{found.total_us:.1f} us CPU an event in its thread.",
        "",
        "| function | own us an event | share | calls an event |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| `{line.function}` | {line.own_us:.2f} | {line.own_us / found.total_us:.0%} | {line.calls:.2f} |"
        for line in found.lines[:10]
    ]
    return lines
