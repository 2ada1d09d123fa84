"""Ports that are free on loopback: picked once, remembered in ``driftloop.toml``."""

from __future__ import annotations

import os
import random
import re
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path

from features.base.files import write_text
from features.base.network import LOOPBACK
from features.base.sections import Ports
from features.base.settings import FILE_NAME, Settings, SettingsError, load
from infra.errors import PlatformError

#: Below the range from which kernels pick the local ports of outgoing connections: a remembered port must still be free
#: after hours in which thousands of connections came and went.
FIRST, LAST = 20_000, 32_000
#: ``20000-21999`` in the environment: pick from these alone. Platforms that are started side by side by different processes meet
#: seldom in the whole range, and never with a range for each.
RANGE_VARIABLE = "DRIFTLOOP_PORT_RANGE"

_HEADER = "# Settings of this driftloop platform; see features/base/settings.py for all of them.\n"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether a server could listen on the port of an address of this host now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections that linger after a stop do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(taken: set[int]) -> Iterator[int]:
    """Yield free ports, each once, none of ``taken``, in random order: two platforms that start at once rarely meet.

    Raises SettingsError where the environment names a range that is none.
    """
    allowed = port_range()
    for port in random.SystemRandom().sample(allowed, len(allowed)):
        if port not in taken and is_free(port):
            yield port
    raise PlatformError(f"no free port from {allowed[0]} to {allowed[-1]} on {LOOPBACK}; write ports into {FILE_NAME} yourself")


def port_range() -> range:
    """Return the ports to pick from. Raises SettingsError where the environment names a range that is none."""
    text = os.environ.get(RANGE_VARIABLE)
    if not text:
        return range(FIRST, LAST)
    match = re.fullmatch(r"\s*(\d{1,5})-(\d{1,5})\s*", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]) <= 65_535:
        raise SettingsError(
            f"{RANGE_VARIABLE} is {text!r}; write two ports from 1 to 65535, the lower one first, as in 20000-21999"
        )
    return range(int(match[1]), int(match[2]) + 1)


def missing(ports: Ports, processes: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the fields of ``ports`` and the processes' metrics that have no port yet."""
    fields = [name for name, value in ports.model_dump(exclude={"metrics"}).items() if not value]
    return fields, [name for name in processes if not ports.metrics.get(name)]


def assign(settings: Settings, processes: tuple[str, ...]) -> Settings:
    """Give a port to every field that has none, and write them down; what is set already stays.

    Raises SettingsError where the file is written in a way that this cannot extend.
    """
    fields, metrics = missing(settings.ports, processes)
    if not fields and not metrics:
        return settings
    taken = {*settings.ports.model_dump(exclude={"metrics"}).values(), *settings.ports.metrics.values()}
    fresh = free_ports(taken)
    new = {name: next(fresh) for name in fields}
    new_metrics = {name: next(fresh) for name in metrics}
    path = settings.dir / FILE_NAME
    text = path.read_text("utf-8-sig") if path.exists() else _HEADER
    text = extended(extended(text, "ports", new), "ports.metrics", new_metrics)
    _check(path, text, new, new_metrics)
    _write(path, text)
    return load(settings.dir)


def remember(settings: Settings, name: str, value: str) -> Settings:
    """Write one top-level setting down, in TOML's words, in the place of an older one; all else stays. Raises SettingsError."""
    path = settings.dir / FILE_NAME
    lines = (path.read_text("utf-8-sig") if path.exists() else _HEADER).splitlines()
    # Top-level settings stand before the first table.
    end = next((i for i, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    head = [line for line in lines[:end] if line.split("=")[0].strip() != name]
    begin = next((i for i, line in enumerate(head) if not line.startswith("#")), len(head))
    head.insert(begin, f"{name} = {value}")
    _write(path, "\n".join([*head, *lines[end:]]) + "\n")
    return load(settings.dir)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def extended(text: str, table: str, values: dict[str, int]) -> str:
    """Return ``text`` (TOML) with ``values`` added to ``[table]``, all else as it was, comments too."""
    if not values:
        return text
    lines = text.splitlines()
    added = [f"{name} = {value}" for name, value in values.items()]
    heads = [i for i, line in enumerate(lines) if line.split("#")[0].replace(" ", "").strip() == f"[{table}]"]
    if heads:
        lines[heads[0] + 1 : heads[0] + 1] = added
    else:
        lines += ["", f"[{table}]", *added]
    return "\n".join(lines) + "\n"


def _check(path: Path, text: str, new: dict[str, int], metrics: dict[str, int]) -> None:
    try:
        ports = tomllib.loads(text)["ports"]
        good = all(ports[name] == value for name, value in new.items())
        good = good and all(ports["metrics"][name] == value for name, value in metrics.items())
    except (tomllib.TOMLDecodeError, KeyError):
        good = False
    if not good:
        raise SettingsError(f"{path}: write the ports as tables, [ports] and [ports.metrics], so that free ones can be added")


def holder(port: int) -> str:
    """Tell who listens on the port, as far as this user may know: "pid 42 (java)" or "another process"."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN and connection.pid:
                return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return "another process"
