"""``driftloop job``: the Spark jobs by hand. A scheduler calls the same commands."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from infra import context, spark

if TYPE_CHECKING:
    from features.jobs.backfill import Progress

app = typer.Typer(
    help="Run a Spark job: backfill, profile or training-set.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.command()
def backfill(
    start: spark.Start = None,
    end: spark.End = None,
    source: Annotated[
        spark.Source, typer.Option(help="Where transactions are read from: the archive, or their topic.")
    ] = "archive",
    topic: Annotated[str, typer.Option(help="With --source kafka: a topic with transactions.")] = "transactions",
    buckets: Annotated[int | None, typer.Option(min=1, help="Pieces that cards are divided into; default: by rows.")] = None,
    days_at_once: Annotated[int, typer.Option(min=1, help="Days worked on together; each such stretch reads its history.")] = 62,
    force: Annotated[bool, typer.Option(help="Do days anew that are done.")] = False,
    master: spark.Master = spark.MASTER,
    driver_memory: spark.DriverMemory = spark.DRIVER_MEMORY,
    scratch: spark.Scratch = None,
) -> None:
    """Compute the card features of whole days into the offline store, beside the running stream.

    Days that are done are skipped, and a run that was broken off goes on. Only complete days are done.
    """
    from features.jobs.backfill import backfill as run
    from features.jobs.card_backfill import folder
    from features.jobs.sources import stage
    from infra.days import whole_days

    settings = context.settings()
    span = spark.span(start, end)
    size = spark.Size(master, driver_memory, scratch)
    (spark.needs_archive if source == "archive" else spark.needs_broker)(settings)
    with spark.session("backfill", size, kafka=source == "kafka") as (running, work):
        log = settings.archive
        if source == "kafka":
            log = work / "staged"
            _say(f"reading the topic {topic}")
            stage(running, settings, topic, log)
        first, stop = whole_days(log / "scores", *span, named=source == "archive")
        root = folder(settings)
        done = run(running, log, root, first, stop, buckets=buckets, days_at_once=days_at_once, force=force, tell=_tell)
    _say("", last=True)
    print(f"{done.rows:,} vectors of {done.days} days in {done.seconds:.1f} s, {done.skipped} days were there; in {done.folder}")


def _tell(progress: Progress) -> None:
    rate = progress.rows / progress.seconds if progress.seconds else 0.0
    _say(
        f"{progress.days} of {progress.of_days} days done; of the next ones {progress.buckets} of {progress.of_buckets} buckets; "
        f"{progress.rows:,} vectors, {rate:,.0f}/s"
    )


_said: list[str] = []


def _say(text: str, last: bool = False) -> None:
    """One line on stderr: rewritten on a terminal, added where it changed elsewhere."""
    if sys.stderr.isatty():
        print(f"\r{text:<110}", end="\n" if last else "", file=sys.stderr, flush=True)
    elif text and text not in _said[-1:]:
        print(text, file=sys.stderr, flush=True)
        _said[:] = [text]
