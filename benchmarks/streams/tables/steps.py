"""Where the scorer's time goes: the tables of its steps and of its functions."""

from __future__ import annotations

from benchmarks.streams.phases import Phases
from benchmarks.streams.profile import Profile


def phases(costs: Phases) -> list[str]:
    """Lines of Markdown."""
    lines = [
        f"The scorer's steps over {costs.events:,} events: {costs.process_us:.1f} us CPU an event in all threads of its "
        f"process, of which {costs.loop_us:.1f} in its loop:",
        "",
        "| step | CPU us an event | of the process's | wall us an event |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {phase.what} | {phase.cpu_us:.2f} | {phase.cpu_us / costs.process_us:.0%} | {phase.wall_us:.2f} |"
        for phase in costs.phases
    ]
    others = costs.process_us - costs.loop_us
    return [*lines, f"| librdkafka's and gRPC's threads | {others:.2f} | {others / costs.process_us:.0%} | |"]


def profile(costs: Profile) -> list[str]:
    """Lines of Markdown: the ten costliest."""
    lines = [
        f"The scorer's loop under cProfile, {costs.events:,} events in {costs.batches} batches: "
        f"{costs.total_us:.1f} us CPU an event in its thread.",
        "",
        "| function | own us an event | share | calls an event |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| `{line.function}` | {line.own_us:.2f} | {line.own_us / costs.total_us:.0%} | {line.calls:.2f} |"
        for line in costs.lines[:10]
    ]
    return lines
