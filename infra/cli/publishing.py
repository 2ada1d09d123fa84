"""What ``simulate`` and ``replay`` have in common: from batches to the bus or to files, and a line about it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.base.active import WORDS
from infra.cli import context, publication
from infra.cli.publication import Begin, Work, when
from infra.errors import PlatformError
from infra.platform import publications

if TYPE_CHECKING:
    from features.base.settings import Settings
    from streams.publish.batch import Batch
    from streams.publish.encode import Written
    from streams.publish.report import PublishReport


class PublishingFailed(PlatformError):
    """The request was fine, but the broker or a processor did not follow."""

    exit_code = 1


@dataclass(frozen=True)
class Plan:
    """How to publish, as it was asked for on the command line; ``form``: one of ``streams.wire.ours.FORMATS``."""

    speed: str = "max"
    lockstep: str = ""
    lockstep_timeout: float = 300.0
    all_labels: bool = False
    out: Path | None = None
    truth: Path | None = None
    resume: bool = False
    again: bool = False
    form: str = "json"


def parse_date(text: str, field: str) -> date:
    """Parse YYYY-MM-DD. Raises ValueError, naming ``field``."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{field} is {text!r}; write a date as YYYY-MM-DD") from error


@dataclass(frozen=True)
class Pace:
    """How fast, parsed: event time over wall time, None for as fast as can be; and the lockstep's span of event time."""

    speed: float | None
    boundary_ms: int | None


def check_plan(plan: Plan) -> Pace:
    """Look at a plan before anything is read or made. Raises ValueError, naming the option; PlatformError without a platform."""
    from streams.publish.files import check_out
    from streams.publish.spans import parse_span, parse_speed
    from streams.wire.ours import FORMATS

    # All input is looked at before the first record goes out.
    context.check_named()
    pace = Pace(parse_speed(plan.speed), parse_span(plan.lockstep, "--lockstep") if plan.lockstep else None)
    for field, path in (("--out", plan.out), ("--truth", plan.truth)):
        if path is not None and not path.absolute().parent.is_dir():
            raise ValueError(f"{field} is {path}; there is no folder {path.absolute().parent}, make it first")
    if plan.form not in FORMATS:
        raise ValueError(f"--format is {plan.form!r}; it is one of {', '.join(FORMATS)}")
    if plan.out is not None and plan.form != "json":
        raise ValueError(f"--format {plan.form} is for records, and --out writes files; leave one of them out")
    if plan.resume and plan.again:
        raise ValueError("--resume and --again exclude each other: go on, or publish all of it once more")
    if plan.resume and plan.truth is not None and plan.truth.exists():
        raise ValueError(f"--truth is {plan.truth}, which is there, perhaps from the run before; name another file for the rest")
    if plan.out is not None:
        check_out(plan.out)
    else:
        _platform()
    return pace


def carry_out(work: Work, plan: Plan) -> None:
    """Publish or write the work and print what was done. Raises ValueError for a wrong plan, PublishingFailed, PlatformError."""
    from streams.publish.files import TruthFile, write_files

    pace = check_plan(plan)
    with TruthFile(plan.truth) if plan.truth is not None else nullcontext() as truth:

        def watched(batches: Iterable[Batch]) -> Iterable[Batch]:
            return batches if truth is None else truth.watch(batches)

        if plan.out is not None:
            events, labels = write_files(watched(work.source.batches(work.first)), plan.out)
            print(f"{events:,} {WORDS.events} and {labels:,} labels written to {plan.out}")
        else:
            _publish(work, plan, pace, watched)
    if plan.truth is not None:
        print(f"the ground truth is in {plan.truth}")


def _platform() -> Settings:
    """Return the settings of a platform on which may be published. Raises PlatformError."""
    from infra.platform import repartition_journal

    settings = context.settings()
    if not settings.bootstrap_servers and not settings.ports.kafka:
        raise PlatformError(f"there is no platform in {settings.dir}; run driftloop up first, or choose its folder with --dir")
    repartition_journal.refuse_unfinished(settings)
    return settings


def _publish(work: Work, plan: Plan, pace: Pace, watched: Callable[[Iterable[Batch]], Iterable[Batch]]) -> None:
    from confluent_kafka import KafkaException

    from features.base.durations import DAY_MS
    from infra.cli.notes import Notes
    from streams.kafka.access import check
    from streams.publish.groups import GROUPS
    from streams.publish.lockstep import Lockstep, LockstepError
    from streams.publish.probe import control_probe
    from streams.publish.publisher import Publisher, PublishError
    from streams.topics import EVENTS, LABELS

    settings = _platform()
    _refuse_ahead(settings, work, pace.speed, plan.all_labels)
    _refuse_uncounted(settings, work)
    written = _written(settings, plan.form)
    acting = settings.as_user("producer")
    check(acting, writes=(EVENTS, LABELS))
    notes = None
    with ExitStack() as stack:
        try:
            with publications.deciding(settings):
                begun = publication.begin(settings, work, plan.resume, plan.again)
                stack.enter_context(publications.holding(begun.kept))
                notes = Notes(acting, begun)
                lockstep = None
                if pace.boundary_ms is not None:
                    lockstep = Lockstep(settings, GROUPS, [control_probe(settings)], plan.lockstep_timeout)
                    stack.enter_context(lockstep)
                notes.publisher = stack.enter_context(
                    Publisher(
                        acting,
                        boundary_ms=pace.boundary_ms or DAY_MS,
                        lockstep=lockstep,
                        on_boundary=_show if sys.stderr.isatty() else None,
                        on_acknowledged=notes.take,
                        speed=pace.speed,
                        pending=None if begun.pending is None else publication.still_due(begun.pending, begun),
                        written=written,
                    )
                )
                notes.first()
            batches = publication.remaining(work.source.batches(begun.day), begun)
            report = notes.publisher.publish(watched(batches))
            if plan.all_labels:
                report += notes.publisher.drain()
                notes.drained()
            notes.last("complete")
        except (PublishError, LockstepError, ValueError) as error:
            if notes is None and isinstance(error, ValueError):
                raise
            raise PublishingFailed(f"{error}{'' if notes is None else notes.stopped()}") from error
        except KafkaException as error:
            reason = f"Kafka at {settings.bootstrap}: {error.args[0].str()}; see driftloop status"
            raise PublishingFailed(f"{reason}{'' if notes is None else notes.stopped()}") from error
        except KeyboardInterrupt:
            if notes is not None:
                print(f"driftloop: interrupted{notes.stopped()}", file=sys.stderr)
            raise
    _tell(report, begun, lockstep is not None)


def _tell(report: PublishReport, begun: Begin, waiting: bool) -> None:
    waited = f", {report.waited_s:.1f} s of it waiting for the processors" if waiting else ""
    more = f", after {when(begun.after_ms)}, where the last run stopped" if begun.after_ms else ""
    print(
        f"{report.transactions:,} {WORDS.events} ({report.positives:,} {WORDS.positives}) and {report.labels:,} labels published "
        f"in {report.seconds:.1f} s{waited}{more}; {report.labels_pending:,} labels are not due yet"
    )


def _refuse_ahead(settings: Settings, work: Work, speed: float | None, all_labels: bool) -> None:
    """Raise ValueError where scorer or label joiner would not take all of it (streams.engine.future).

    At a ``speed`` the clock moves on while it is published. ``all_labels``: also those are published that are due after the last
    batch.
    """
    from features.base.durations import HOUR_MS

    lead_ms = int(settings.scoring.allowed_lead_hours * HOUR_MS)
    clock_ms = time.time() * 1000
    if speed is not None and work.days:
        first_ms = publications.day_ms(min(work.days))
        # At less than real time the first event is the one that is furthest ahead.
        clock_ms += (work.newest_ms - first_ms) / speed if first_ms <= clock_ms + lead_ms else 0.0
    times = {"event time": work.newest_ms, **({"label time": work.newest_label_ms} if all_labels else {})}
    for what, newest_ms in times.items():
        if lead_ms and newest_ms > clock_ms + lead_ms:
            raise ValueError(
                f"{what} reaches {datetime.fromtimestamp(newest_ms / 1000, UTC):%Y-%m-%d}, which is not yet, and nothing is "
                "taken from the future; choose earlier days, or set scoring.allowed_lead_hours = 0 in driftloop.toml"
            )


def _refuse_uncounted(settings: Settings, work: Work) -> None:
    """Raise ValueError where the scorer would refuse events for want of a rate of their unit (docs/money.md)."""
    import numpy as np

    from features.base import kept_rates

    if not work.units or settings.units.missing != "dead-letter":
        return
    times = np.array(list(work.units.values()), dtype=np.int64)
    taken_ms = np.full(len(times), time.time_ns() // 1_000_000, dtype=np.int64)
    converter = kept_rates.converter(settings, kept_rates.read(settings))
    reasons = converter.convert(list(work.units), np.zeros(len(times), dtype=np.int64), times, taken_ms).reasons
    if reasons:
        # Nothing is out yet, so the same command follows, not a replay of dead letters.
        reason = str(next(iter(reasons.values()))).replace("driftloop dlq replay", "run this again")
        raise ValueError(f"{work.name}: {reason}")


def _written(settings: Settings, form: str) -> Written | None:
    """Return how values are written in a format; None: as JSON. Raises PlatformError where its schemas are not registered."""
    from streams.publish.encode import Written
    from streams.schemas import registered
    from streams.topics import EVENTS, LABELS
    from streams.wire.encode import Encode, encoder
    from streams.wire.ours import FORMATS
    from streams.wire.registry import Registry, RegistryRefused

    if form == "json":
        return None
    if not settings.schema_registry.url:
        raise PlatformError(f"--format {form} needs schemas, and schema_registry.url is empty; name the registry there")
    registry, encoders = Registry(settings), list[Encode]()
    wanted = next(name for name in FORMATS if name == form)
    for topic in (EVENTS, LABELS):
        try:
            schema = registered.latest(registry, wanted, topic)
        except RegistryRefused as error:
            raise PlatformError(f"the schema registry at {registry.url} says no: {error}") from error
        if schema is None:
            command = f"driftloop schemas publish {form.removesuffix('-schema')}"
            raise PlatformError(f"our {form} schema of {topic} is not registered; run {command} first")
        encoders.append(encoder(wanted, topic, schema.id))
    return Written(*encoders)


def _show(event_time_ms: int) -> None:
    print(f"\r  {datetime.fromtimestamp(event_time_ms / 1000, UTC):%Y-%m-%d %H:%M}", end="\r", file=sys.stderr, flush=True)
