"""``driftloop rates``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import context
from infra.errors import PlatformError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="See the rates by which measures are converted; add some.",
)

COLUMNS = ("unit", "valid from", ">rate", "counts for what the broker takes from")


@app.command("list", help="The rates of this platform.")
def list_rates(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    from features.base import kept_rates
    from features.base.rates import moment
    from infra.inspect import show

    settings = context.settings()
    rows = kept_rates.read(settings)
    if as_json:
        show.document({"reference": settings.units.reference, "rates": rows})
        return
    cells = ((row.unit, moment(row.valid_from_ms), row.rate, show.when(row.known_ms)) for row in rows)
    show.table(COLUMNS, cells, f"there are no rates: all is in {show.reference(settings)}")


@app.command(help="Add the rows of a CSV file with the columns unit,valid_from,rate. Rows that are there stay as they are.")
def add(file: Annotated[Path, typer.Argument(help="The file.")]) -> None:
    from features.base import identity, kept_rates
    from features.base.rates import RatesError
    from infra.inspect import show

    settings = context.settings()
    if identity.read(settings.dir) is None:
        raise PlatformError(
            f"there is no platform in {settings.dir}; name the file in [units] rates and run driftloop up, or name another folder"
            " with --dir"
        )
    try:
        new = kept_rates.add(settings, file)
    except RatesError as error:
        raise PlatformError(str(error)) from error
    if new:
        print(f"{len(new)} rates are new; they count for what the broker takes from {show.when(new[0].known_ms + 999)} (UTC) on")
    else:
        print("there is nothing new in it")
