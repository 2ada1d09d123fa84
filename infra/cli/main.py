"""The command line: ``driftloop [--dir FOLDER] COMMAND``.

A command is a module in infra/cli/commands/, imported only when it is called, so that ``--help`` costs nothing of TensorFlow,
Spark or Feast. A module exposes either ``command``, a function, or ``app``, a group of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from features.base import environment
from infra.cli import context
from infra.errors import PlatformError
from streams.wire.errors import RegistryAway


@dataclass(frozen=True)
class Entry:
    """Where a command lives and what ``--help`` says of it."""

    target: str
    summary: str


COMMANDS = {
    "up": Entry("infra.cli.commands.up:command", "Start the platform: Kafka, Redis, the model server and the processors."),
    "status": Entry("infra.cli.commands.status:command", "Show each component: pid, ports, health, memory; addresses; lag."),
    "logs": Entry("infra.cli.commands.logs:command", "Show the logs of one component, or of all."),
    "down": Entry("infra.cli.commands.down:command", "Stop the platform; its data stays."),
    "run": Entry("infra.cli.commands.run:command", "Run processors in this process, as the supervisor does."),
    "topology": Entry("infra.cli.commands.topology:command", "List the processors: what each reads and writes, and its process."),
    "simulate": Entry("infra.cli.commands.simulate:command", "Publish simulated events and labels."),
    "replay": Entry("infra.cli.commands.replay:command", "Publish a file of transactions, Parquet or CSV, and its labels."),
    "demo": Entry("infra.cli.commands.demo:command", "Show the whole loop turning, from the first event to the second model."),
    "models": Entry("infra.cli.commands.models:command", "List model versions and what is served."),
    "alerts": Entry("infra.cli.commands.alerts:command", "Read the newest alerts."),
    "drift": Entry("infra.cli.commands.drift:command", "Read the newest drift reports."),
    "hash": Entry("infra.cli.commands.hash:command", "Tell by which hash log lines call an id."),
    "retrain": Entry("infra.cli.commands.retrain:command", "Ask for a retraining."),
    "rollback": Entry("infra.cli.commands.rollback:command", "Serve the version before again, or another one."),
    "features": Entry("infra.cli.commands.features:app", "Look at features: what they mean, and their values."),
    "repartition": Entry("infra.cli.commands.repartition:command", "Change the number of partitions, in place."),
    "dlq": Entry("infra.cli.commands.dlq:app", "Records that could not be processed: see them, send them again, put them aside."),
    "rates": Entry("infra.cli.commands.rates:app", "See the rates by which measures are converted; add some."),
    "schemas": Entry("infra.cli.commands.schemas:app", "Print our schemas; register them at a schema registry."),
    "archive": Entry("infra.cli.commands.archive:app", "See how far the archive is complete; merge its small files."),
    "pipeline": Entry("infra.cli.commands.pipeline:app", "Compile or run the training pipeline."),
    "job": Entry("infra.cli.commands.job:app", "Run a Spark job: backfill, profile or training-set."),
    "parity": Entry(
        "infra.cli.commands.parity:command", "Compute the served features again in batch and compare them with what was served."
    ),
}


class LazyGroup(TyperGroup):
    """A group that imports a command's module when the command is called, and not to list it."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return _named(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if command:
            folder = Path(ctx.params.get("folder") or ".driftloop")
            source = ctx.get_parameter_source("folder")
            context.by_name(source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT"))
            context.choose_names(folder)
        return name, _loaded(args[0]) if command else None, rest


def _named(name: str) -> Any:
    stub = typer.Typer(add_completion=False, rich_markup_mode=None)
    stub.command(name, help=COMMANDS[name].summary)(lambda: None)
    return typer.main.get_command(stub)


def _loaded(name: str) -> Any:
    module, attribute = COMMANDS[name].target.split(":")
    target: typer.Typer | Callable[..., None] = getattr(import_module(module), attribute)
    if not isinstance(target, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(name, help=COMMANDS[name].summary)(target)
        target = single
    command = typer.main.get_command(target)
    command.name = name
    return command


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # half a second faster
    help="Event-driven continuous training on Kafka: notice drift, retrain, check, roll out.",
)


@app.callback()
def _choose(
    folder: Annotated[
        Path, typer.Option("--dir", envvar=context.VARIABLE, help="The platform's folder.", show_default=True)
    ] = Path(".driftloop"),
) -> None:
    if folder.exists() and not folder.is_dir():
        raise PlatformError(f"--dir is {folder}, which is no folder; name the platform's folder")
    context.choose(folder)


def main() -> None:
    """Run the command line. Wrong input is one line on stderr and exit code 2, never a traceback."""
    environment.begin_again()
    # What is made here must not be for everybody to change, whatever the shell says: settings may hold passwords.
    os.umask(os.umask(0o077) | 0o022)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; return its exit code."""
    context.called(arguments)
    try:
        code = app(arguments or ["--help"], prog_name="driftloop", standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message() or "name a command; --help lists them"
        if message.startswith("No such option: --dir"):
            message = "--dir stands before the command: driftloop --dir FOLDER " + " ".join(arguments[:1])
        # A missing argument's choices stand on lines of their own.
        return _told(" ".join(message.split()) if isinstance(error, typer.BadParameter) else message, 2)
    except (PlatformError, RegistryAway) as error:
        return _told(str(error), error.exit_code if isinstance(error, PlatformError) else 1)
    except ValueError as error:
        from features.base.roles import DomainError
        from features.base.settings import SettingsError

        if not isinstance(error, SettingsError | DomainError):
            raise
        return _told(" ".join(str(error).split()), 2)
    except OSError as error:
        if error.filename is None:
            raise
        return _told(f"{error.filename}: {error.strerror}", 1)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    return code if isinstance(code, int) else 0


def _told(message: str, code: int) -> int:
    print(f"driftloop: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
