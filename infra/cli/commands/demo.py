"""``driftloop demo``"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

#: Apart from the default platform's folder: the demo begins with an empty one.
FOLDER = Path(".driftloop-demo")


def command(
    data: Annotated[Path | None, typer.Option(help="Replay this file, Parquet or CSV, instead of simulating.")] = None,
    days: Annotated[int | None, typer.Option(help="With --data: only so many days from its start.", min=1)] = None,
    subjects: Annotated[int, typer.Option(help="How many of them to simulate.", min=200, max=100_000)] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.", min=0)] = 7,
    out: Annotated[Path, typer.Option(help="Where the summary and the report go.")] = Path("out/demo"),
) -> None:
    from rich.console import Console

    from features.base.active import DEFAULT, DOMAIN
    from infra.cli import context
    from infra.demo import report, summary, table
    from infra.demo.story import replayed, simulated
    from infra.demo.tell import tell
    from infra.errors import PlatformError
    from streams.publish.lockstep import LockstepError
    from streams.publish.publisher import PublishError
    from streams.replay.errors import ReplayError

    if DOMAIN.name != DEFAULT:
        raise PlatformError(f"the demo tells a story of {DEFAULT}, and this process serves {DOMAIN.name}; see simulate")
    if data is not None and not data.is_file():
        raise typer.BadParameter(f"there is no file {data}", param_hint="--data")
    given = Path(os.environ[context.VARIABLE])
    folder = FOLDER.absolute() if given == Path(".driftloop").absolute() else given
    context.choose(folder)
    console = Console(width=None if sys.stdout.isatty() else 130)
    # Ended like ^C, so that the platform goes down with it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        story = simulated(subjects, seed) if data is None else replayed(data, days)
        demo = tell(folder, story, console)
    except (LockstepError, PublishError) as error:
        console.print(f"[red]the loop stopped turning:[/red] {error}")
        raise typer.Exit(1) from error
    except ReplayError as error:
        raise PlatformError(str(error)) from error
    out.mkdir(parents=True, exist_ok=True)
    summary.write(demo.summary, out / "summary.json")
    report.write(story, demo, out / "report.html")
    table.show(story, demo, console)
    console.print(f"summary: {out / 'summary.json'}; report: {out / 'report.html'}; the platform's folder: {folder}")
    if not demo.summary.passed:
        raise typer.Exit(1)
