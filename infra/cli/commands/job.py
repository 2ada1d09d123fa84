"""``driftloop job``: the Spark jobs by hand. A scheduler calls the same commands."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from features.archive import mirror
from features.archive.locks import reading
from features.base.active import WORDS
from infra.cli import context, spark
from infra.cli.stopping import going_on
from infra.errors import PlatformError
from streams.topics import SCORES as SCORES_TOPIC

if TYPE_CHECKING:
    from features.jobs.backfill import Progress

Vectors: TypeAlias = Literal["served", "backfill"]
EXCLUDE = "Faulty time to leave out, FROM/TO, as in 2026-02-01/2026-02-03T12:00. May be given several times."

app = typer.Typer(
    help="Run a Spark job: backfill, profile or training-set.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.command()
def backfill(
    start: spark.Start = None,
    end: spark.End = None,
    source: Annotated[
        spark.Source, typer.Option(help="Where transactions are read from: the archive, or the scores' topic.")
    ] = "archive",
    topic: Annotated[str, typer.Option(help="With --source kafka: a topic with scores.")] = SCORES_TOPIC,
    buckets: Annotated[
        int | None, typer.Option(min=1, max=100_000, help=f"Pieces that {WORDS.subjects} are divided into; default: by rows.")
    ] = None,
    days_at_once: Annotated[int, typer.Option(min=1, help="Days worked on together; each such stretch reads its history.")] = 62,
    force: Annotated[bool, typer.Option(help="Do days anew that are done.")] = False,
    master: spark.Master = spark.MASTER,
    driver_memory: spark.DriverMemory = spark.DRIVER_MEMORY,
    scratch: spark.Scratch = None,
) -> None:
    """Compute the subject features of whole days into the offline store, beside the running stream.

    Days that are done are skipped, and a run that was broken off goes on. Only complete days are done.
    """
    from features.jobs.backfill import backfill as run
    from features.jobs.backfill_progress import folder
    from features.jobs.sources import stage
    from infra.cli.job_days import whole_days

    settings = context.settings()
    span = spark.span(start, end)
    size = spark.Size(master, driver_memory, scratch)
    if source == "archive":
        log = spark.needs_archive(settings)
    else:
        log = mirror.folder(settings) / "archive"
        spark.needs_broker(settings)
    so_far: list[Progress] = []

    def tell(progress: Progress) -> None:
        so_far[:] = [progress]
        _tell(progress)

    def how() -> str:
        days = so_far[0].days if so_far else 0
        return f"{days} days are done and stay; go on with {context.called_with()}, which does the others"

    with going_on(how), reading(log), spark.session("backfill", size, kafka=source == "kafka") as (running, work):
        if source == "kafka":
            log = work / "staged"
            _say(f"reading the topic {topic}")
            stage(running, settings, topic, log)
        first, stop = whole_days(log / "scores", *span, named=source == "archive")
        root = folder(settings)
        done = run(
            *(running, log, root, first, stop, settings.features),
            buckets=buckets,
            days_at_once=days_at_once,
            force=force,
            tell=tell,
        )
    _say("", last=True)
    print(f"{done.rows:,} vectors of {done.days} days in {done.seconds:.1f} s, {done.skipped} days were there; in {done.folder}")


@app.command()
def profile(
    end: spark.End = None,
    exclude: Annotated[list[str] | None, typer.Option(help=EXCLUDE)] = None,
    master: spark.Master = spark.MASTER,
    driver_memory: spark.DriverMemory = spark.DRIVER_MEMORY,
    scratch: spark.Scratch = None,
) -> None:
    """Compute the owners' daily profiles from the archive into Feast: all days offline, the newest of each subject online.

    Meant to run once a day. Whole days before --to (default: the newest archived event) are taken.
    """
    import redis

    from features.archive.days import day_folders
    from features.archive.layout import OWNER_PROFILE_ROWS
    from features.jobs.daily_profiles import daily_profiles
    from features.jobs.labelled_rows import SCORES, clean_transactions
    from features.jobs.publish_profiles import publish_profiles
    from features.jobs.sources import archived

    settings = context.settings()
    excluded = spark.intervals(exclude)
    size = spark.Size(master, driver_memory, scratch)
    archive = spark.needs_archive(settings, end_ms=spark.milliseconds(end))
    spark.needs_store(settings)
    begun = time.monotonic()
    end_ms = min(spark.milliseconds(end) or newest_ms(archive), newest_ms(archive))
    published: list[int] = []

    def how() -> str:
        if not published:
            return f"No profile was written; begin anew with {context.called_with()}"
        return f"{published[-1]:,} profiles are written, and a run replaces them all; begin anew with {context.called_with()}"

    with going_on(how), reading(archive), spark.session("profile", size) as (running, work):
        _say(f"computing profiles from {len(day_folders(archive / 'scores', None, end_ms))} days")
        rows = clean_transactions(archived(running, archive, None, end_ms, SCORES), end_ms, excluded)
        daily_profiles(rows, end_ms).write.parquet(str(work / "profiles"))
        _say("writing them to Feast")
        try:
            count = publish_profiles(settings, work / "profiles", published.append)
        except redis.RedisError as error:
            raise spark.JobFailed(f"Redis at {settings.redis_address} did not take the profiles ({error}); is it up?") from error
    _say("", last=True)
    print(
        f"{count:,} daily profiles in {time.monotonic() - begun:.1f} s; in {settings.rows_root}/{OWNER_PROFILE_ROWS} and online"
    )


@app.command("training-set")
def training_set(
    out: Annotated[Path, typer.Option(help="Folder to write; one that is there is replaced.")],
    start: spark.Start = None,
    end: spark.End = None,
    vectors: Annotated[
        Vectors, typer.Option(help="Which vectors: those that were served, or backfilled ones (for new features).")
    ] = "served",
    exclude: Annotated[list[str] | None, typer.Option(help=EXCLUDE)] = None,
    master: spark.Master = spark.MASTER,
    driver_memory: spark.DriverMemory = spark.DRIVER_MEMORY,
    scratch: spark.Scratch = None,
) -> None:
    """Write vectors, profiles as of each event and outcomes as one folder of Parquet by event day.

    --to (default: the newest archived event) is the moment of knowing: labels have their delay until then.
    """
    from features.archive.days import day_folders
    from features.jobs.backfill_progress import folder
    from features.jobs.training_set import training_set as run

    settings = context.settings()
    start_ms, end_ms = spark.span(start, end)
    excluded = spark.intervals(exclude)
    size = spark.Size(master, driver_memory, scratch)
    _needs_place(out)
    archive = spark.needs_archive(settings, start_ms, end_ms)
    spark.needs_store(settings)
    source = archive / "scores" if vectors == "served" else folder(settings)
    low, high = start_ms or 0, min(end_ms or newest_ms(archive), newest_ms(archive))
    folders = day_folders(source, low, high + 1)
    if not folders:
        days = [day.name.removeprefix("day=") for day in day_folders(source)]
        how = f"there are some of {days[0]} to {days[-1]}" if days else "run driftloop job backfill first"
        raise PlatformError(f"there are no {vectors} vectors of that time in {source}; {how}")
    begun = time.monotonic()

    def as_it_was() -> str:
        return f"{out} is as it was; begin anew with {context.called_with()}"

    with going_on(as_it_was), reading(archive), spark.session("training-set", size) as (running, work):
        _say(f"labelling the vectors of {len(folders)} days")
        made = run(running, settings, folders, work, out.absolute(), low, high, excluded, _joined)
    _say("", last=True)
    print(
        f"{made.rows:,} rows, {made.known:,} with an outcome, {made.positives:,} of them {WORDS.positives}, "
        f"in {time.monotonic() - begun:.1f} s; in {out}"
    )


def _needs_place(out: Path) -> None:
    """Raise PlatformError where a training set cannot be written into ``out``."""
    from features.jobs.training_set import MANIFEST

    if not out.absolute().parent.is_dir():
        raise PlatformError(f"--out is {out}; there is no folder {out.absolute().parent}, make it first")
    if out.exists() and not out.is_dir():
        raise PlatformError(f"--out is {out}, which is a file; name a folder")
    if out.exists() and any(out.iterdir()) and not (out / MANIFEST).exists():
        raise PlatformError(f"--out is {out}, which holds something else; name a new folder or a training set's")


def _joined(parts: int, of_parts: int, rows: int) -> None:
    _say(f"{parts} of {of_parts} parts joined, {rows:,} rows")


def newest_ms(archive: Path) -> int:
    """Return the newest archived event time."""
    from features.archive.days import newest_event_ms

    newest = newest_event_ms(archive / "scores")
    if newest is None:
        raise PlatformError(f"there is no archive in {archive}; publish {WORDS.events} first")
    return newest


def _tell(progress: Progress) -> None:
    rate = progress.rows / progress.seconds if progress.seconds else 0.0
    _say(
        f"{progress.days} of {progress.of_days} days done; of the next ones {progress.buckets} of {progress.of_buckets} buckets; "
        f"{progress.rows:,} vectors, {rate:,.0f}/s"
    )


_said: list[str] = []


def _say(text: str, last: bool = False) -> None:
    """Write one line on stderr: rewritten in a console, added where it changed elsewhere."""
    if sys.stderr.isatty():
        print(f"\r{text:<110}", end="\n" if last else "", file=sys.stderr, flush=True)
    elif text and text not in _said[-1:]:
        print(text, file=sys.stderr, flush=True)
        _said[:] = [text]
