"""``driftloop topology``"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from streams.topology import TOPOLOGY, Processor

COLUMNS = ("processor", "reads -> writes", "group", "guarantee", "process")


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all that an entry says.")] = False) -> None:
    """List the processors: what each reads and writes, its consumer group, its guarantee, and the process that runs it."""
    from infra.cli import context
    from infra.inspect import show

    context.check_named()
    if as_json:
        show.document([describe(processor) for processor in TOPOLOGY])
        return
    show.table(COLUMNS, (row(processor) for processor in TOPOLOGY), "")


def describe(processor: Processor) -> dict[str, Any]:
    """Return a processor's entry for programs; ``group``: None where it has no consumer group."""
    return asdict(processor) | {"ports": dict(processor.ports), "group": processor.name if processor.streams else None}


def row(processor: Processor) -> tuple[str, ...]:
    """Return a processor as cells of ``COLUMNS``."""
    reads, writes = (
        ", ".join(names) or "-" for names in ((*processor.reads, *processor.follows), (*processor.writes, *processor.changelogs))
    )
    return (
        processor.name,
        f"{reads} -> {writes}" if processor.streams else "-",
        processor.name if processor.streams else "-",
        processor.guarantee,
        processor.process_group,
    )
