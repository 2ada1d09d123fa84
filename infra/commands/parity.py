"""``driftloop parity``"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from infra import context


def command(
    start: Annotated[datetime | None, typer.Option("--from", help="First event time to compare, UTC.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", help="Event time at which to stop, UTC.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    import tempfile
    from pathlib import Path

    from features.java import JavaNotFound
    from features.jobs.parity import compare
    from features.jobs.session import spark_session
    from infra import cache
    from infra.errors import PlatformError
    from infra.inspect import show

    settings = context.settings()
    if not (settings.archive / "scores").is_dir():
        raise PlatformError(f"there is no archive in {settings.archive}; publish transactions first")
    with tempfile.TemporaryDirectory(prefix="driftloop-parity-") as scratch:
        try:
            spark = spark_session("driftloop parity", cache.folder(), Path(scratch))
        except JavaNotFound as error:
            raise PlatformError(str(error)) from error
        try:
            found = compare(spark, settings.archive, _ms(start), _ms(end))
        finally:
            spark.stop()
    if as_json:
        show.document(found)
    else:
        print(
            f"{found.events:,} events x {found.features} card features computed again in batch: "
            f"{found.differences} values differ, by {found.largest:g} at most"
        )
        columns = ("event time", "card", "transaction", "partition:offset", "feature", ">served", ">in batch")
        rows = (
            (
                show.when(d.event_time_ms),
                d.card_id,
                d.transaction_id,
                f"{d.kafka_partition}:{d.kafka_offset}",
                d.feature,
                repr(d.served),
                repr(d.recomputed),
            )
            for d in found.first
        )
        show.table(columns, rows, "")
    if found.differences:
        raise typer.Exit(1)


def _ms(when: datetime | None) -> int | None:
    return None if when is None else int(when.replace(tzinfo=UTC).timestamp() * 1000)
