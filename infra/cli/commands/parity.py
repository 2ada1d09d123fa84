"""``driftloop parity``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from features.archive import mirror
from features.base.active import DOMAIN, WORDS
from features.catalogue.vector import vector_schema
from infra.cli import context, spark
from streams.topics import SCORES as SCORES_TOPIC

if TYPE_CHECKING:
    from features.skew.differences import Differences


def command(
    start: spark.Start = None,
    end: spark.End = None,
    source: Annotated[
        spark.Source, typer.Option(help="Where served vectors are read from: the archive, or the topic scores.")
    ] = "archive",
    topic: Annotated[str, typer.Option(help="With --source kafka: a topic with scores.")] = SCORES_TOPIC,
    profiles: Annotated[
        bool,
        typer.Option(
            "--profiles",
            help=f"Also the {WORDS.owner} and {WORDS.counterpart} features, with the offline store as of each event; what "
            "differs there may be "
            "the online store's age when the score was made.",
        ),
    ] = False,
    partitions: Annotated[int, typer.Option(min=1, help="Spark's partitions.")] = 4,
    buckets: Annotated[
        int, typer.Option(min=1, help=f"Groups of {WORDS.subjects}; one is in memory as a whole, about 2 kB a row.")
    ] = 16,
    master: spark.Master = spark.MASTER,
    driver_memory: spark.DriverMemory = spark.DRIVER_MEMORY,
    scratch: spark.Scratch = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    from features.archive.locks import reading
    from features.jobs.counted import recounted
    from features.jobs.parity import compare
    from features.jobs.sources import NothingThere, archived, from_topic, history_from
    from infra.errors import PlatformError
    from infra.inspect import show

    settings = context.settings()
    start_ms, end_ms = spark.span(start, end)
    size = spark.Size(master, driver_memory, scratch)
    if source == "archive":
        archive = spark.needs_archive(settings, start_ms, end_ms)
    else:
        archive = mirror.folder(settings) / "archive"
        spark.needs_broker(settings)
    if profiles:
        spark.needs_store(settings)
    with reading(archive), spark.session("parity", size, kafka=source == "kafka") as (running, _):
        history = history_from(start_ms)
        try:
            if source == "archive":
                scores = archived(running, archive, history, end_ms)
            else:
                scores = from_topic(running, settings, topic, history, end_ms)
        except NothingThere as error:
            raise PlatformError(str(error)) from error
        store = settings if profiles else None
        differences = compare(scores, settings.features, start_ms, end_ms, partitions, buckets, store)
        measures, wrong = recounted(scores, settings, start_ms, end_ms) if DOMAIN.unit_field else (0, 0)
    if not differences.vectors:
        schema = vector_schema(settings.features)
        raise PlatformError(
            f"no score in that range has a vector of schema {schema}, so nothing was compared; see --from, --to and [features]"
        )
    if as_json:
        show.document(msgspec.to_builtins(differences) | {"measures": measures, "miscounted": wrong})
    else:
        _print(differences, "features" if profiles else f"{WORDS.subject} features")
        if measures:
            print(f"{measures:,} {WORDS.measure}s counted again by the table of rates: {wrong:,} differ")
    if differences.differing or wrong:
        raise typer.Exit(1)


def _print(differences: Differences, compared: str) -> None:
    from infra.inspect import show

    print(
        f"{differences.vectors:,} events x {differences.features} {compared} computed again in batch: {differences.differing:,} "
        f"of {differences.values:,} values differ, by {differences.mean:g} on average and {differences.largest:g} at most"
    )
    if not differences.differing:
        return
    print("by feature: " + ", ".join(f"{name} {count:,}" for name, count in differences.by_feature.items()) + "; the earliest:")
    columns = ("event time", "history", "event", "partition:offset", "feature", ">served", ">in batch")
    rows = (
        (
            show.when(d.event_time_ms),
            d.subject,
            d.event_id,
            f"{d.kafka_partition}:{d.kafka_offset}",
            d.feature,
            repr(d.served),
            repr(d.recomputed),
        )
        for d in differences.first
    )
    show.table(columns, rows, "")
