"""Hosts for processes that live apart: network namespaces where this machine allows them, else loopback addresses.

::

    here ------- scorer          each line is a veth pair; no bridge, no forwarding
      \\           /
       model server
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations

HERE = "here"


@dataclass(frozen=True)
class Hosts:
    """``addresses``: by host. ``inside``: what a command line begins with to run there."""

    addresses: dict[str, str]
    inside: dict[str, list[str]]
    #: Why these are loopback addresses and no namespaces; empty where they are namespaces.
    shared: str = ""


@contextmanager
def hosts(*names: str) -> Iterator[Hosts]:
    """This host under the name ``here``, and one of each name. Nothing of them is left afterwards."""
    every = (HERE, *names)
    ip = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    made: list[str] = []
    try:
        yield _loopback(every, "there is no ip command (iproute2)") if ip is None else _namespaces(ip, every, made)
    finally:
        left = [pid for name in made for pid in _ip(ip or "", "netns", "pids", name).split()]
        for name in made:
            # Its ends of the pairs go with it, and so do the other ends.
            _ip(ip or "", "netns", "del", name)
        assert not left, f"processes {left} were left in {made}"


def _loopback(every: tuple[str, ...], why: str) -> Hosts:
    return Hosts({name: f"127.0.0.{i + 2}" for i, name in enumerate(every)}, {name: [] for name in every}, why)


def _namespaces(ip: str, every: tuple[str, ...], made: list[str]) -> Hosts:
    """``made`` gets the names of the namespaces as they are made."""
    # 198.18.0.0/15 is for tests of networks (RFC 2544): nobody's real addresses.
    net = f"198.18.{os.getpid() % 254 + 1}"
    addresses = {name: f"{net}.{i + 1}" for i, name in enumerate(every)}
    spaces = {name: f"driftloop-{os.getpid()}-{name}" for name in every[1:]}
    inside = {name: [ip, "netns", "exec", spaces[name]] if name in spaces else [] for name in every}
    try:
        for space in spaces.values():
            _ip(ip, "netns", "add", space)
            made.append(space)
            _ip(ip, "-n", space, "link", "set", "lo", "up")
        for number, pair in enumerate(combinations(every, 2)):
            devices = [f"dl{os.getpid() % 10**7}{number}{end}" for end in "ab"]
            # The second of a pair is never here. Made there, a pair that stays half done goes with its namespace.
            _ip(ip, "-n", spaces[pair[1]], "link", "add", devices[1], "type", "veth", "peer", "name", devices[0])
            target = spaces.get(pair[0], "1")
            _ip(ip, "-n", spaces[pair[1]], "link", "set", devices[0], "netns", target)
            for device, own, other in ((devices[0], *pair), (devices[1], *reversed(pair))):
                space_option = ["-n", spaces[own]] if own in spaces else []
                _ip(ip, *space_option, "addr", "add", f"{addresses[own]}/32", "peer", addresses[other], "dev", device)
                _ip(ip, *space_option, "link", "set", device, "up")
    except subprocess.CalledProcessError as error:
        while made:
            _ip(ip, "netns", "del", made.pop())
        return _loopback(every, f"{' '.join(error.cmd)}: {error.stderr.strip()}")
    return Hosts(addresses, inside)


def _ip(ip: str, *arguments: str) -> str:
    done = subprocess.run([ip, *arguments], capture_output=True, text=True, timeout=30, check=True)
    return done.stdout
