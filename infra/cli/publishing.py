"""What ``simulate`` and ``replay`` have in common: from batches to the bus or to files, and a line about it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.base.active import WORDS
from infra.cli import context
from infra.errors import PlatformError

if TYPE_CHECKING:
    from features.base.settings import Settings
    from streams.publish.batch import Batch, Labels
    from streams.publish.encode import Written


class PublishingFailed(PlatformError):
    """The request was fine, but the broker or a processor did not follow."""

    exit_code = 1


@dataclass(frozen=True)
class Plan:
    """How to publish, as it was asked for on the command line; ``pending`` are labels owed from earlier days;
    ``form``: one of ``streams.wire.ours.FORMATS``."""

    speed: str = "max"
    lockstep: str = ""
    lockstep_timeout: float = 300.0
    all_labels: bool = False
    out: Path | None = None
    truth: Path | None = None
    pending: Labels | None = None
    form: str = "json"


def parse_date(text: str, field: str) -> date:
    """Parse YYYY-MM-DD. Raises ValueError, naming ``field``."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{field} is {text!r}; write a date as YYYY-MM-DD") from error


def carry_out(batches: Iterable[Batch], plan: Plan) -> None:
    """Publish or write the batches and print what was done. Raises ValueError for a wrong plan, PublishingFailed."""
    from streams.publish.files import TruthFile, check_out, write_files
    from streams.publish.spans import parse_span, parse_speed
    from streams.wire.ours import FORMATS

    # All input is looked at before the first record goes out.
    speed = parse_speed(plan.speed)
    boundary_ms = parse_span(plan.lockstep, "--lockstep") if plan.lockstep else None
    for field, path in (("--out", plan.out), ("--truth", plan.truth)):
        if path is not None and not path.absolute().parent.is_dir():
            raise ValueError(f"{field} is {path}; there is no folder {path.absolute().parent}, make it first")
    if plan.out is not None:
        check_out(plan.out)
    if plan.form not in FORMATS:
        raise ValueError(f"--format is {plan.form!r}; it is one of {', '.join(FORMATS)}")
    if plan.out is not None and plan.form != "json":
        raise ValueError(f"--format {plan.form} is for records, and --out writes files; leave one of them out")

    with TruthFile(plan.truth) if plan.truth is not None else nullcontext() as truth:
        watched = batches if truth is None else truth.watch(batches)
        if plan.out is not None:
            transactions, labels = write_files(watched, plan.out)
            print(f"{transactions:,} {WORDS.events} and {labels:,} labels written to {plan.out}")
        else:
            _publish(watched, plan, speed, boundary_ms)
    if plan.truth is not None:
        print(f"the ground truth is in {plan.truth}")


def _publish(batches: Iterable[Batch], plan: Plan, speed: float | None, boundary_ms: int | None) -> None:
    from confluent_kafka import KafkaException

    from features.base.durations import DAY_MS, HOUR_MS
    from infra.platform import repartition_journal
    from streams.kafka.access import check
    from streams.publish.groups import GROUPS
    from streams.publish.lockstep import Lockstep, LockstepError
    from streams.publish.probe import control_probe
    from streams.publish.publisher import Publisher, PublishError
    from streams.topics import EVENTS, LABELS

    settings = context.settings()
    if not settings.bootstrap_servers and not settings.ports.kafka:
        raise PlatformError(f"there is no platform in {settings.dir}; run driftloop up first, or choose its folder with --dir")
    repartition_journal.refuse_unfinished(settings)
    if speed is None:
        batches = _none_ahead(batches, int(settings.scoring.allowed_lead_hours * HOUR_MS), plan.all_labels)
    written = _written(settings, plan.form)
    acting = settings.as_user("producer")
    check(acting, writes=(EVENTS, LABELS))
    try:
        waiting = None if boundary_ms is None else Lockstep(settings, GROUPS, [control_probe(settings)], plan.lockstep_timeout)
        with (
            waiting or nullcontext() as lockstep,
            Publisher(
                acting,
                boundary_ms=boundary_ms or DAY_MS,
                lockstep=lockstep,
                on_boundary=_show if sys.stderr.isatty() else None,
                speed=speed,
                pending=plan.pending,
                written=written,
            ) as publisher,
        ):
            report = publisher.publish(batches)
            if plan.all_labels:
                report += publisher.drain()
    except (PublishError, LockstepError) as error:
        raise PublishingFailed(str(error)) from error
    except KafkaException as error:
        raise PublishingFailed(f"Kafka at {settings.bootstrap}: {error.args[0].str()}; see driftloop status") from error
    waited = f", {report.waited_s:.1f} s of it waiting for the processors" if lockstep is not None else ""
    print(
        f"{report.transactions:,} {WORDS.events} ({report.positives:,} {WORDS.positives}) and {report.labels:,} labels published "
        f"in {report.seconds:.1f} s{waited}; {report.labels_pending:,} labels are not due yet"
    )


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
    wanted = next(one for one in FORMATS if one == form)
    for topic in (EVENTS, LABELS):
        try:
            found = registered.found(registry, wanted, topic)
        except RegistryRefused as error:
            raise PlatformError(f"the schema registry at {registry.url} says no: {error}") from error
        if found is None:
            command = f"driftloop schemas publish {form.removesuffix('-schema')}"
            raise PlatformError(f"our {form} schema of {topic} is not registered; run {command} first")
        encoders.append(encoder(wanted, topic, found.id))
    return Written(*encoders)


def _none_ahead(batches: Iterable[Batch], lead_ms: int, all_labels: bool) -> Iterator[Batch]:
    """Yield the batches. Raises ValueError at the first that scorer or label joiner would not take (streams.engine.future).
    ``all_labels``: also those are published that are due after the last batch."""
    for batch in batches:
        times = {"event time": batch.transactions.event_time_ms}
        if all_labels:
            times["label time"] = batch.labels.label_time_ms
        for what, found in times.items():
            newest_ms = int(found.max(initial=0))
            if lead_ms and newest_ms > time.time() * 1000 + lead_ms:
                raise ValueError(
                    f"{what} reaches {datetime.fromtimestamp(newest_ms / 1000, UTC):%Y-%m-%d}, which is not yet, and nothing is "
                    "taken from the future; choose earlier days, or set scoring.allowed_lead_hours = 0 in driftloop.toml"
                )
        yield batch


def _show(event_time_ms: int) -> None:
    print(f"\r  {datetime.fromtimestamp(event_time_ms / 1000, UTC):%Y-%m-%d %H:%M}", end="\r", file=sys.stderr, flush=True)
