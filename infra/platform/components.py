"""What a platform consists of: names, command lines, ports, and the order of starting."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from features.base.network import LOOPBACK, Server
from features.base.settings import Settings
from infra.services import kafka_broker, redis_server
from streams.topology import TOPOLOGY, Topology


@dataclass(frozen=True)
class Component:
    """One supervised process.

    ``stage``: the stages start one after the other, each once the one before is healthy; within a stage all start at once.
    ``start_s``: a process that ends sooner has failed to start and is tried again with growing pauses.
    ``ready_s``: how long ``up`` waits for its health; ``stop_s``: how long it may take to end before it is killed.
    """

    name: str
    stage: int
    command: Callable[[Settings], list[str]]
    ports: Callable[[Settings], dict[str, int]]
    start_s: int
    ready_s: float
    stop_s: int


#: The processes of ours, by name, with the processors that each runs.
PROCESSES = TOPOLOGY.processes


def _run(processors: tuple[str, ...], settings: Settings) -> list[str]:
    # -P: the platform's folder is the working folder, and nothing in it may be imported by accident.
    return [sys.executable, "-P", "-m", "infra.cli.main", "run", *processors]


def _ports(name: str, own: dict[str, str], settings: Settings) -> dict[str, int]:
    metrics = {"metrics": settings.ports.metrics.get(name, 0)}
    return metrics | {label: getattr(settings.ports, field) for label, field in own.items()}


def _kafka_ports(settings: Settings) -> dict[str, int]:
    inside = {"internal": settings.ports.kafka_internal} if settings.secure else {}
    return {"broker": settings.ports.kafka, "controller": settings.ports.kafka_controller, **inside}


def _redis_ports(settings: Settings) -> dict[str, int]:
    return {"redis": settings.ports.redis}


def bind(settings: Settings, component: str, label: str) -> str:
    """Return the address that a component listens on with the port of this label."""
    servers: dict[tuple[str, str], Server] = {
        ("kafka", "broker"): "kafka",
        ("redis", "redis"): "redis",
        ("model-server", "rest"): "model_server",
        ("model-server", "grpc"): "model_server",
        ("control", "web"): "control",
    }
    if label in ("controller", "internal"):
        return LOOPBACK
    address: str = getattr(settings.network.bind, servers.get((component, label), "metrics"))
    return address


KAFKA = Component("kafka", 0, kafka_broker.command, _kafka_ports, start_s=2, ready_s=90, stop_s=30)
REDIS = Component("redis", 0, redis_server.command, _redis_ports, start_s=1, ready_s=30, stop_s=15)


def ours(topology: Topology = TOPOLOGY) -> tuple[Component, ...]:
    """Return the processes that run the topology's processors."""
    return tuple(
        # Ten seconds: an error in the settings shows after some seconds of imports, and must not become a busy loop of restarts.
        # Five minutes: a scorer that finds nothing compiled takes half of one (streams/scoring/warm_up.py), and more on a busy
        # machine.
        Component(
            name, 1, partial(_run, processors), partial(_ports, name, topology.ports(name)), start_s=10, ready_s=300, stop_s=30
        )
        for name, processors in topology.processes.items()
    )


#: All components, in the order in which they start.
ALL = (KAFKA, REDIS, *ours())


def of(settings: Settings) -> tuple[Component, ...]:
    """Return the components of this platform: without Kafka where ``bootstrap_servers`` names a broker elsewhere."""
    return tuple(part for part in ALL if part is not KAFKA or not settings.bootstrap_servers)
