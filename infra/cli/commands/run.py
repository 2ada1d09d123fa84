"""``driftloop run NAME...``"""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli import context


def command(names: Annotated[list[str], typer.Argument(help="Processors: scorer, feast-writer, archive, ...")]) -> None:
    from infra.platform.processors import run_processors

    raise typer.Exit(run_processors(names, context.settings()))
