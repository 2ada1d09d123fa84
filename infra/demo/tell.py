"""Runs a story on a platform of its own, shows how it goes, and judges it."""

from __future__ import annotations

import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Producer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from features.base.settings import FILE_NAME, Settings, load
from infra.demo import judge
from infra.demo.collect import Collected, collect
from infra.demo.counters import counter
from infra.demo.memory import MemoryWatch
from infra.demo.story import Story
from infra.demo.summary import Seconds, Summary
from infra.demo.truth import Truth
from infra.errors import PlatformError
from infra.platform import supervisor, up_down
from streams import topics
from streams.kafka.clients import producer
from streams.publish.groups import GROUPS
from streams.publish.lockstep import Lockstep
from streams.publish.probe import control_probe
from streams.publish.publisher import Publisher
from streams.publish.report import PublishReport

#: A training run may take this long on a busy laptop before the demo gives up on it.
PATIENCE_S = 420.0
#: Without a terminal: a sign of life this often while the stream waits.
SIGN_S = 15.0
#: In a folder that a demo made.
MARK = "made-by-demo"


@dataclass(frozen=True)
class Told:
    """A demo that has ended: what it made, and the settings of the platform it ran on."""

    settings: Settings
    summary: Summary
    collected: Collected
    truth: Truth


def tell(folder: Path, story: Story, console: Console) -> Told:
    """Run ``story`` on a fresh platform in ``folder``; it is down again on return, whatever happened.

    Raises PlatformError, LockstepError or PublishError where the platform does not carry it.
    """
    began = time.monotonic()
    settings = fresh(folder, story)
    watch = MemoryWatch(settings)
    try:
        console.print(f"[bold]driftloop demo[/bold]: {story.title}")
        settings = up_down.up(settings, progress=lambda what, how, s: console.print(f"  {what:<14} {how:<24} {s:6.1f} s"))
        up_s = time.monotonic() - began
        watch.start()
        truth = Truth()
        report, first_model_s = _publish(settings, story, truth, console)
        failed = int(
            counter(settings, "model-server", "driftloop_failed_predictions_total")
            + counter(settings, "scorer", "driftloop_model_unavailable_total")
        )
        console.print("  reading what the topics hold")
        collected = collect(settings)
        watch.stop()
    finally:
        console.print("  down")
        _down(settings)
    summary = _summary(settings, story, collected, truth, report, failed, watch)
    summary.seconds = Seconds(
        up=round(up_s, 1),
        first_model=None if first_model_s is None else round(first_model_s, 1),
        detect_to_promoted=judge.detect_to_promoted_s(collected.events),
        total=round(time.monotonic() - began, 1),
    )
    return Told(settings, summary, collected, truth)


def _down(settings: Settings) -> None:
    """End the platform, whoever is impatient meanwhile: a second ^C would leave half of it running."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        up_down.down(settings)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def fresh(folder: Path, story: Story) -> Settings:
    """Make an empty platform folder with the story's settings.

    Only a folder that a demo made is emptied. Raises PlatformError for another one that holds something, or one that is up.
    """
    mark = folder / MARK
    if folder.exists() and any(folder.iterdir()):
        if not mark.exists():
            raise PlatformError(
                f"{folder} was not made by a demo, which begins with an empty folder; choose another one with --dir"
            )
        if supervisor.running(load(folder)):
            raise PlatformError(
                f"the platform in {folder} is up; end it with driftloop --dir {folder} down, or choose another --dir"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text("A demo made this folder, and the next one empties it.\n")
    (folder / FILE_NAME).write_text("# Settings of a demo: made anew by each one.\n" + toml(story.settings))
    return load(folder)


def toml(tables: dict[str, dict[str, float]]) -> str:
    """Return tables of numbers as TOML."""
    lines = [line for table, values in tables.items() for line in (f"[{table}]", *(f"{k} = {v}" for k, v in values.items()))]
    return "\n".join(lines) + "\n"


def _publish(settings: Settings, story: Story, truth: Truth, console: Console) -> tuple[PublishReport, float | None]:
    """Publish the whole story in lockstep; return the report, and wall seconds from its start to the first model."""
    began = time.monotonic()
    first_model_s: float | None = None
    signed = began
    columns = (
        SpinnerColumn(),
        TextColumn("day"),
        MofNCompleteColumn(),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, refresh_per_second=2) as bar:
        task = bar.add_task("history: no model yet", total=story.days)
        control = control_probe(settings)
        champion = _Champion(settings)

        def patient() -> str | None:
            reason = control()
            if reason:
                bar.update(task, description=f"[yellow]{reason}[/yellow]; the stream waits")
                nonlocal signed
                if not console.is_terminal and time.monotonic() - signed > SIGN_S:
                    signed = time.monotonic()
                    console.print(f"  {signed - began:.0f} s; {reason}; the stream waits")
            return reason

        def boundary(event_time_ms: int) -> None:
            nonlocal first_model_s
            version = champion.version()
            if version and first_model_s is None:
                first_model_s = time.monotonic() - began
                _send_malformed(settings, story)
            meaning = next((i.meaning for i in story.injections if i.start_ms <= event_time_ms < (i.end_ms or judge.FAR)), "")
            status = f"champion {version or 'none yet'}" + (f"; [red]{meaning}[/red]" if meaning else "")
            bar.update(task, advance=1, description=status)
            day = int(bar.tasks[0].completed)
            if not console.is_terminal and day % 5 == 0:
                console.print(f"  day {day} of {story.days}, {time.monotonic() - began:.0f} s; {status}")

        with (
            Lockstep(settings, GROUPS, [patient], timeout_s=PATIENCE_S) as lockstep,
            Publisher(settings.as_user("producer"), lockstep=lockstep, on_boundary=boundary) as publisher,
        ):
            return publisher.publish(truth.watch(story.batches)), first_model_s


class _Champion:
    """The version that the serving document names."""

    def __init__(self, settings: Settings) -> None:
        from serving.store.model_store import ModelStore

        self._store = ModelStore.of(settings)

    def version(self) -> str | None:
        return self._store.serving().champion


def _send_malformed(settings: Settings, story: Story) -> None:
    sender: Producer = producer(settings.as_user("producer"))
    for i, value in enumerate(story.malformed):
        sender.produce(topics.EVENTS, value, f"broken-{i}".encode())
    sender.flush(30)


def _summary(
    settings: Settings, story: Story, collected: Collected, truth: Truth, report: PublishReport, failed: int, watch: MemoryWatch
) -> Summary:
    positive = truth.of(collected.scores)
    incidents = judge.incidents(story, collected, positive)
    flowing = max(report.seconds - report.waited_s, 1e-9)
    return Summary(
        transactions=report.transactions,
        scores=collected.counts[topics.SCORES],
        unscored=int(((collected.scores.version == "") & ~collected.scores.apart).sum()),
        alerts=collected.counts[topics.ALERTS],
        dlq=collected.counts[topics.DLQ],
        labels=collected.counts[topics.LABELS],
        outcomes=collected.counts[topics.OUTCOMES],
        incidents=incidents,
        failed_predictions=failed,
        seconds=Seconds(0.0, None, None, 0.0),
        checks=judge.checks(settings, story, collected, incidents, report.transactions, failed),
        daily=judge.days(collected.scores, positive),
        memory_mb={**{k: round(v) for k, v in watch.peak_mb.items()}, "total": round(watch.peak_total_mb)},
        throughput={
            "transactions_per_second": round(report.transactions / report.seconds, 1),
            "publishing_s": round(flowing, 1),
            "waiting_s": round(report.waited_s, 1),
        },
    )
