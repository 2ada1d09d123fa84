"""``driftloop topology``"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from streams.topology import TOPOLOGY, Processor

COLUMNS = ("processor", "reads -> writes", "group", "guarantee", "process")


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all that an entry says.")] = False) -> None:
    """List the processors: what each reads and writes, its consumer group, its guarantee, and the process that runs it."""
    from infra.inspect import show

    if as_json:
        show.document([describe(one) for one in TOPOLOGY])
        return
    show.table(COLUMNS, (row(one) for one in TOPOLOGY), "")


def describe(one: Processor) -> dict[str, Any]:
    """Return a processor's entry for programs; ``group``: None where it has no consumer group."""
    return asdict(one) | {"ports": dict(one.ports), "group": one.name if one.streams else None}


def row(one: Processor) -> tuple[str, ...]:
    """Return a processor as cells of ``COLUMNS``."""
    reads, writes = (", ".join(names) or "-" for names in ((*one.reads, *one.follows), (*one.writes, *one.changelogs)))
    return (
        one.name,
        f"{reads} -> {writes}" if one.streams else "-",
        one.name if one.streams else "-",
        one.guarantee,
        one.process_group,
    )
