"""``driftloop run NAME...``"""

from __future__ import annotations

from typing import Annotated

import typer

from infra import context


def command(names: Annotated[list[str], typer.Argument(help="Processors: scorer, feast-writer, archive, ...")]) -> None:
    from infra.run import run_processors

    raise typer.Exit(run_processors(names, context.settings()))
