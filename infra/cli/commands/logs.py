"""``driftloop logs``"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import context
from infra.errors import PlatformError
from infra.platform.log_tail import Follower, last_lines

_POLL_S = 0.3


def command(
    component: Annotated[str, typer.Argument(help="kafka, redis, model-server, scorer, ...; all where left out.")] = "",
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last lines of each.")] = 20,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines are written, until interrupted.")] = False,
) -> None:
    from infra.platform.supervisor import logs

    files = _files(logs(context.settings()), component)
    width = max(len(name) for name in files)
    label = {name: f"{name:<{width}} | " if len(files) > 1 else "" for name in files}
    followers = {name: Follower(path) for name, path in files.items()}
    for name, path in files.items():
        for line in last_lines(path, lines):
            print(label[name] + line)
    while follow:
        for name, follower in followers.items():
            for line in follower.new_lines():
                print(label[name] + line, flush=True)
        time.sleep(_POLL_S)


def _files(folder: Path, component: str) -> dict[str, Path]:
    logs = {path.stem: path for path in sorted(folder.glob("*.log"))}
    if not logs:
        raise PlatformError(f"no logs in {folder}; `driftloop up` writes them")
    if not component:
        return logs
    if component not in logs:
        raise PlatformError(f"no log of {component} in {folder}; there are {', '.join(logs)}")
    return {component: logs[component]}
