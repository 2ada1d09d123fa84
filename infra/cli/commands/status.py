"""``driftloop status``. Exit code 0: all is up; 1: something is not; 2: Kafka refuses the user that asks, by a wrong setting."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from features.base.active import WORDS
from infra.cli import context

if TYPE_CHECKING:
    from infra.platform.status import Status


def command(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    from features.base.settings import SettingsError
    from infra.platform.status import status

    found = status(context.settings())
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)
    if found["refused"]:
        raise SettingsError(found["refused"])
    if found["state"] != "up":
        raise typer.Exit(1)


def _show(found: Status) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from infra.inspect.show import when

    console = Console()
    console.print(f"driftloop in {found['dir']} is {found['state']}", highlight=False)
    table = Table("component", "health", "pid", "ports", "uptime", "memory", box=box.SIMPLE_HEAD)
    for one in found["components"]:
        ports = " ".join(f"{name} {port or '-'}" for name, port in one["ports"].items())
        health = f"{one['health']}: {one['reason']}" if one["reason"] else one["health"]
        uptime = "" if one["uptime_s"] is None else f"{one['uptime_s']:.0f} s"
        memory = "" if one["rss_mb"] is None else f"{one['rss_mb']:.0f} MB"
        table.add_row(one["name"], health, str(one["pid"] or ""), ports, uptime, memory)
    console.print(table)
    where = found["addresses"]
    how = f", SASL_SSL; trust {where['kafka_authority']}" if where["kafka_authority"] else ""
    console.print(f"Kafka         {where['bootstrap_servers']}{how}", highlight=False, soft_wrap=True)
    console.print(f"model server  {where['rest_url']}, gRPC {where['grpc_address']}", highlight=False)
    console.print(f"token         {where['token_file']}", highlight=False, soft_wrap=True)
    for line in found["less_safe_topics"] or []:
        console.print(line, highlight=False, soft_wrap=True)
    if found["lag"]:
        lags = Table("consumer group", "topic", "behind", box=box.SIMPLE_HEAD)
        for group, topics in found["lag"].items():
            for topic, behind in topics.items():
                lags.add_row(group, topic, str(behind))
        console.print(lags)
    if found["event_time"]:
        times = Table("processor", "newest event", f"behind the newest {WORDS.event}", box=box.SIMPLE_HEAD)
        for processor, seen in found["event_time"].items():
            times.add_row(processor, when(seen["newest_ms"]), f"{seen['behind_s']:,.0f} s")
        console.print(times)
