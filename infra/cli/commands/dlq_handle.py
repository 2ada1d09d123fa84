"""``driftloop dlq replay`` and ``driftloop dlq discard``."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from infra.cli import context

if TYPE_CHECKING:
    from infra.dead_letters.filters import Filter
    from infra.dead_letters.handling import Bounds, Counts
    from infra.dead_letters.operator import Action

Places: TypeAlias = Annotated[
    list[str] | None, typer.Argument(metavar="[PARTITION:OFFSET]...", help="Only these, as dlq list prints them.")
]
Processor: TypeAlias = Annotated[str, typer.Option(help="Only those of this processor.")]
Error: TypeAlias = Annotated[str, typer.Option(help="Only those with this error.")]
Topic: TypeAlias = Annotated[str, typer.Option(help="Only those that came from this topic.")]
Since: TypeAlias = Annotated[datetime | None, typer.Option(help="Only those that arrived at this time or later (UTC).")]
Until: TypeAlias = Annotated[datetime | None, typer.Option(help="Only those that arrived before this time (UTC).")]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def replay(
    places: Places = None,
    processor: Processor = "",
    error: Error = "",
    topic: Topic = "",
    since: Since = None,
    until: Until = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Send records again, byte for byte, to the topics they came from. Exit code 1 where some cannot be."""
    from infra.dead_letters.filters import chosen

    wanted = chosen(processor, error, topic, since, until, places)
    counts, within = _look(wanted, "replayed")
    if counts.letters and _agreed(counts, "sent again", dry_run, yes):
        done = _done(wanted, within, "replayed")
        print(f"{done.letters:,} letters replayed, {done.sent:,} records sent")
        counts = done
    _refuse(counts)


def discard(
    reason: Annotated[str, typer.Option(help="Why; it is kept with the letter.")],
    places: Places = None,
    processor: Processor = "",
    error: Error = "",
    topic: Topic = "",
    since: Since = None,
    until: Until = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Put dead letters aside, with a reason. Nothing disappears: dlq list --all shows them."""
    from infra.dead_letters.filters import chosen

    if not reason.strip() or len(reason) > 10_000:
        raise typer.BadParameter("--reason must say why, in 10,000 characters at most")
    wanted = chosen(processor, error, topic, since, until, places)
    counts, within = _look(wanted, "discarded")
    if counts.letters and _agreed(counts, "put aside", dry_run, yes):
        done = _done(wanted, within, "discarded", reason.strip())
        print(f"{done.letters:,} letters discarded")


def _look(wanted: Filter, action: Action) -> tuple[Counts, Bounds]:
    from infra.dead_letters.handling import count
    from infra.inspect import show

    counts, within = count(context.settings(), wanted, action)
    rows = ((*kind, f"{n:,}") for kind, n in sorted(counts.by_kind.items()))
    show.table(("topic", "processor", "error", ">letters"), rows, "no dead letters to do this with")
    return counts, within


def _done(wanted: Filter, within: Bounds, action: Action, reason: str = "") -> Counts:
    """Do it; where it is interrupted, say how far it came."""
    from infra.dead_letters.handling import Counts, handle

    counts = Counts()
    try:
        return handle(context.settings().as_user("operator"), wanted, within, action, reason, counts)
    except KeyboardInterrupt:
        print(
            f"driftloop: interrupted. {counts.letters:,} letters were {action}; nothing is done twice, so go on with "
            f"{context.called_with()}",
            file=sys.stderr,
        )
        raise


def _agreed(counts: Counts, what: str, dry_run: bool, yes: bool) -> bool:
    if dry_run:
        print(f"{counts.letters:,} letters would be {what}")
        return False
    return yes or typer.confirm(f"{counts.letters:,} letters will be {what}. Go on?", abort=True)


def _refuse(counts: Counts) -> None:
    from infra.dead_letters.handling import NotDone

    whys = (
        (counts.cut, "hold only the beginning of their record", "publish the record again from where it came"),
        (counts.nowhere, "come from a topic or a partition that is no more", "publish the record to where it belongs"),
        (counts.large, "hold a record that its topic does not take", "raise the topic's max.message.bytes and replay once more"),
    )
    refusals = [f"{len(at):,} letters {why} and cannot be replayed: {_few(at)}; {out}, or discard" for at, why, out in whys if at]
    if refusals:
        raise NotDone(". ".join(refusals))


def _few(places: list[str]) -> str:
    return ", ".join(places[:5]) + (", ..." if len(places) > 5 else "")
