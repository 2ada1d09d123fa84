"""``driftloop replay FILE``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MAP_HELP = "FIELD=COLUMN, as in card_id=CUSTOMER; FIELD= for a column the file has not. May be given several times."
MAP_FILE_HELP = "A layout that ships with driftloop (--layouts lists them), or a map file of your own (.toml, .json)."
RESUME_HELP = (
    "Go on where the last run stopped. With --from, where nothing of it was published: the days before were, and their late "
    "labels are owed."
)
SEPARATOR_HELP = "What separates a CSV file's fields: a character or tab; by default what the first line suggests."


def _list_layouts(wanted: bool) -> None:
    if not wanted:
        return
    from streams.replay.map_file import load, names

    for name in names():
        layout = load(name)
        print(f"{name}: {layout.about}")
        for note in (*layout.notes, *(f"It cannot be replayed as it is. {field}: {why}." for field, why in layout.lacks.items())):
            print(f"    {note}")
    raise typer.Exit


def command(
    file: Annotated[Path, typer.Argument(help="Transactions in order of time: Parquet, or CSV (.csv, .tsv, .txt; also .gz).")],
    columns: Annotated[list[str] | None, typer.Option("--map", help=MAP_HELP)] = None,
    map_file: Annotated[str, typer.Option(help=MAP_FILE_HELP)] = "",
    layouts: Annotated[
        bool,
        typer.Option("--layouts", callback=_list_layouts, is_eager=True, help="List the layouts of public data sets, and end."),
    ] = False,
    currency: Annotated[str, typer.Option(help="Currency of the amounts where the file has no column for it.")] = "EUR",
    separator: Annotated[str, typer.Option(help=SEPARATOR_HELP)] = "",
    header: Annotated[str, typer.Option("--columns", help="The columns of a CSV file without a header, as in a,b,c.")] = "",
    decimal: Annotated[str, typer.Option(help="The decimal comma of amounts and degrees in text: . or ,")] = "",
    time_unit: Annotated[str, typer.Option(help="What whole event times count: ms, s, us or ns since 1970.")] = "",
    label_delay_days: Annotated[float, typer.Option(help="Event time from a fraud to its label.")] = 7.0,
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD, UTC.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last day, included.")] = "",
    speed: Annotated[str, typer.Option(help="max, or how many times faster than real time.")] = "max",
    lockstep: Annotated[str, typer.Option(help="Wait for every processor at each 1d, 6h, 30m of event time.")] = "",
    lockstep_timeout: Annotated[float, typer.Option(min=1.0, help="Seconds without progress before giving up.")] = 300.0,
    resume: Annotated[bool, typer.Option(help=RESUME_HELP)] = False,
    again: Annotated[bool, typer.Option(help="Publish days once more that were published before.")] = False,
    all_labels: Annotated[bool, typer.Option(help="At the end, publish the labels that are not due yet, too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write .parquet or .jsonl files here instead of publishing.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write the ground truth to this Parquet file.")] = None,
    form: Annotated[str, typer.Option("--format", help="json, or avro, protobuf or json-schema of a registry.")] = "json",
) -> None:
    """Publish a file of transactions, and its labels after a delay, in event-time order. All of it is checked first."""
    from features.base.active import DOMAIN
    from features.base.settings import SettingsError
    from infra.cli.publishing import Plan, carry_out, check_plan, parse_date
    from infra.errors import PlatformError

    if DOMAIN.name != "card_fraud":
        raise PlatformError(f"replay reads files of card payments so far, and this platform serves {DOMAIN.name}; see simulate")
    from infra.cli.replayed import work_of
    from streams.replay.csv_file import CsvShape
    from streams.replay.mapping import parse_map, read_otherwise
    from streams.replay.replay import Replay
    from streams.replay.rows import FileColumns

    try:
        begin = parse_date(first, "--from") if first else None
        end = parse_date(last, "--to") if last else None
        if begin is not None and end is not None and end < begin:
            raise ValueError(f"--to is {last}, before --from {first}")
        plan = Plan(speed, lockstep, lockstep_timeout, all_labels, out, truth, resume, again, form)
        mapping = read_otherwise(parse_map(columns or [], map_file), decimal, time_unit)
        shape = CsvShape("\t" if separator == "tab" else separator, tuple(header.split(",")) if header else ())
        source = Replay(file, FileColumns(mapping, currency), label_delay_days, shape)
        check_plan(plan)
        carry_out(work_of(source, file, begin, end), plan)
    except SettingsError:
        raise
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
