"""``driftloop pipeline``: the training pipeline, by hand or as the control's child process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from infra.cli import context

app = typer.Typer(
    help="Run the training pipeline once, or compile it for a cluster.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def run(
    request: Annotated[Path, typer.Option(help="A retrain request as JSON.", exists=True, dir_okay=False)],
    run_dir: Annotated[Path, typer.Option(help="Folder of this run, made if missing; result.json is written there.")],
) -> None:
    """Run the pipeline on this machine. Exit code 1 where the run failed; a rejected model is no failure."""
    import msgspec

    from features.base.events import RetrainRequest
    from features.base.settings import SettingsError, load
    from retrain.pipeline.runner import RunBusy
    from retrain.pipeline.runner import run as run_once

    context.check_named()
    try:
        asked = msgspec.json.decode(request.read_bytes(), type=RetrainRequest)
        result = run_once(asked, load(), run_dir)
    except msgspec.MsgspecError as error:
        _refuse(f"--request {request} is no retrain request: {error}")
    except (SettingsError, RunBusy) as error:
        _refuse(str(error))
    typer.echo(f"{result.state} {result.version or ''} {result.serving}: {result.reason}")
    if result.state == "failed":
        raise typer.Exit(1)


@app.command("compile")
def compile_(out: Annotated[Path, typer.Option(help="File to write: IR YAML that a Kubeflow Pipelines server takes.")]) -> None:
    """Write the pipeline as IR YAML: the same function that runs here."""
    from retrain.pipeline.compile_ir import write

    context.check_named()
    if not out.absolute().parent.is_dir():
        _refuse(f"--out {out}: its folder does not exist; make it first")
    try:
        write(out)
    except ValueError as error:
        _refuse(f"--out {out}: {error}")
    typer.echo(str(out))


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)
