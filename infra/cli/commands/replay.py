"""``driftloop replay FILE``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MAP_HELP = "FIELD=COLUMN, as in card_id=CUSTOMER; FIELD= for a column the file has not. May be given several times."


def command(
    file: Annotated[Path, typer.Argument(help="A Parquet file of transactions in order of time.")],
    columns: Annotated[list[str] | None, typer.Option("--map", help=MAP_HELP)] = None,
    currency: Annotated[str, typer.Option(help="Currency of the amounts where the file has no column for it.")] = "EUR",
    label_delay_days: Annotated[float, typer.Option(help="Event time from a fraud to its label.")] = 7.0,
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD, UTC.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last day, included.")] = "",
    speed: Annotated[str, typer.Option(help="max, or how many times faster than real time.")] = "max",
    lockstep: Annotated[str, typer.Option(help="Wait for every processor at each 1d, 6h, 30m of event time.")] = "",
    lockstep_timeout: Annotated[float, typer.Option(min=1.0, help="Seconds without progress before giving up.")] = 300.0,
    resume: Annotated[bool, typer.Option(help="The days before were published earlier: publish their late labels, too.")] = False,
    all_labels: Annotated[bool, typer.Option(help="At the end, publish the labels that are not due yet, too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write .parquet or .jsonl files here instead of publishing.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write the ground truth to this Parquet file.")] = None,
    form: Annotated[str, typer.Option("--format", help="json, or avro, protobuf or json-schema of a registry.")] = "json",
) -> None:
    """Publish a Parquet file of transactions, and its labels after a delay, in event-time order."""
    from features.base.active import DOMAIN
    from features.base.settings import SettingsError
    from infra.cli.publishing import Plan, carry_out, parse_date
    from infra.errors import PlatformError

    if DOMAIN.name != "card_fraud":
        raise PlatformError(f"replay reads files of card payments so far, and this platform serves {DOMAIN.name}; see simulate")
    from streams.replay.mapping import parse_map
    from streams.replay.replay import Replay
    from streams.replay.rows import FileColumns

    try:
        begin = parse_date(first, "--from") if first else None
        end = parse_date(last, "--to") if last else None
        if begin is not None and end is not None and end < begin:
            raise ValueError(f"--to is {last}, before --from {first}")
        if resume and begin is None:
            raise ValueError("--resume needs --from, the first day that was not published yet")
        source = Replay(file, FileColumns(parse_map(columns or []), currency), label_delay_days)
        pending = source.pending_labels(begin) if resume and begin is not None else None
        carry_out(source.batches(begin, end), Plan(speed, lockstep, lockstep_timeout, all_labels, out, truth, pending, form))
    except SettingsError:
        raise
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
