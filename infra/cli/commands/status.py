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

    own = context.settings()
    report = status(own)
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        _show(report, own.partitioner)
    if report["refused"]:
        raise SettingsError(report["refused"])
    if report["state"] != "up":
        raise typer.Exit(1)


def _show(report: Status, partitioner: str) -> None:
    from rich import box
    from rich.table import Table

    from infra.inspect.show import console as wide
    from infra.inspect.show import when
    from infra.platform.moved import advice

    console = wide()
    console.print(f"driftloop in {report['dir']} is {report['state']}", highlight=False, soft_wrap=True, markup=False)
    table = Table("component", "health", "pid", "ports", "uptime", "memory", box=box.SIMPLE_HEAD)
    for component in report["components"]:
        ports = " ".join(f"{name} {port or '-'}" for name, port in component["ports"].items())
        health = f"{component['health']}: {component['reason']}" if component["reason"] else component["health"]
        uptime = "" if component["uptime_s"] is None else f"{component['uptime_s']:.0f} s"
        memory = "" if component["rss_mb"] is None else f"{component['rss_mb']:.0f} MB"
        table.add_row(component["name"], health, str(component["pid"] or ""), ports, uptime, memory)
    console.print(table)
    where = report["addresses"]
    how = f", SASL_SSL; trust {where['kafka_authority']}" if where["kafka_authority"] else ""
    console.print(f"Kafka         {where['bootstrap_servers']}{how}", highlight=False, soft_wrap=True)
    console.print(f"model server  {where['rest_url']}, gRPC {where['grpc_address']}", highlight=False)
    console.print(f"token         {where['token_file']}", highlight=False, soft_wrap=True)
    for line in report["less_safe_topics"] or []:
        console.print(line, highlight=False, soft_wrap=True)
    for topic, of_topic in report["moved"].items():
        console.print(advice(topic, of_topic, partitioner), highlight=False, soft_wrap=True)
    for line in report["unanswered"]:
        console.print(f"not known: {line}", highlight=False, soft_wrap=True, markup=False)
    if report["lag"]:
        lags = Table("consumer group", "topic", "behind", box=box.SIMPLE_HEAD)
        for group, topics in report["lag"].items():
            for topic, behind in topics.items():
                lags.add_row(group, topic, str(behind))
        console.print(lags)
    if report["event_time"]:
        times = Table("processor", "newest event", f"behind the newest {WORDS.event}", box=box.SIMPLE_HEAD)
        for processor, seen in report["event_time"].items():
            times.add_row(processor, when(seen["newest_ms"]), f"{seen['behind_s']:,.0f} s")
        console.print(times)
