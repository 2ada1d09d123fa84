"""``driftloop repartition``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import context

if TYPE_CHECKING:
    from streams.kafka.partitioners import Name

PARTITIONER_HELP = "How subjects are spread over partitions, murmur2 or crc32; by default as they are."


def command(
    partitions: Annotated[int, typer.Option(min=1, max=1000, help="How many events, scores, labels, ... shall have.")],
    timeout: Annotated[float, typer.Option(min=1.0, help="Seconds without progress before giving up on a processor.")] = 300.0,
    partitioner: Annotated[str, typer.Option(help=PARTITIONER_HELP)] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Change the number of partitions, in place. Stop producers first; run it again where it was interrupted."""
    from infra.platform import repartition_journal
    from infra.repartition.run import Wish, repartition
    from streams.kafka.partitioners import HASHES

    names: dict[str, Name] = {name: name for name in HASHES}
    if partitioner and partitioner not in names:
        raise typer.BadParameter(f"--partitioner is {partitioner!r}; choose {' or '.join(names)}")

    def agree(plan: str) -> None:
        if not yes:
            typer.confirm(f"{plan}. Go on?", abort=True)

    def progress(what: str, how: str, seconds: float) -> None:
        print(f"  {what:<24} {how:<24} {seconds:6.1f} s", flush=True)

    settings = context.settings()

    def how() -> str:
        unfinished = repartition_journal.read(settings)
        if unfinished is None:
            return "The topics are as they were"
        return (
            f"It is half-way ({unfinished.phase}), and no processor runs before it is finished: {context.called_with()} goes on"
        )

    try:
        done = repartition(settings, Wish(partitions, names.get(partitioner), timeout, agree), progress)
    except KeyboardInterrupt:
        print(f"driftloop: interrupted. {how()}", file=sys.stderr)
        raise
    print(f"the topics have {done.partitions} partitions; they had {done.before}")
