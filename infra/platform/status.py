"""What ``driftloop status`` shows, as data."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypedDict

import psutil
from confluent_kafka import KafkaException

from features.base.settings import Settings, SettingsError
from infra.inspect.tail import Unreachable
from infra.platform import components, health, provision, supervisor
from infra.platform.components import Component
from infra.platform.event_times import EventTime, event_times, newest_published
from infra.platform.lag import group_lags
from infra.platform.moved import Moved, moved
from infra.platform.supervisor import Process
from streams.kafka.access import check
from streams.kafka.refusal import refused

Health = Literal["healthy", "unhealthy", "stopped"]


@dataclass(frozen=True)
class ComponentStatus:
    """One component. ``reason`` says why it is not healthy; ``rss_mb`` counts its children, too."""

    name: str
    health: Health
    reason: str
    state: str
    pid: int | None
    ports: dict[str, int]
    uptime_s: float | None
    rss_mb: float | None
    log: str


@dataclass
class FromKafka:
    """What Kafka has told, see ``Status``; ``published_ms``: see ``infra.platform.event_times``.

    All None where it does not answer.
    """

    lag: dict[str, dict[str, int]] | None = None
    published_ms: int | None = None
    refused: str | None = None
    less_safe: list[str] | None = None
    unanswered: str = ""


class Addresses(TypedDict):
    """What a client needs."""

    bootstrap_servers: str
    #: The certificate to trust where Kafka speaks SASL_SSL (docs/security.md); empty where it asks for nothing.
    kafka_authority: str
    redis: str
    rest_url: str
    grpc_address: str
    token_file: str
    metrics: dict[str, str]


class Status(TypedDict):
    """The whole answer of ``driftloop status --json``. ``lag``: by consumer group and topic, None while Kafka does not answer or
    refuses our user. ``refused``: why it refuses something to our user, and the way out.
    ``less_safe_topics``: those with fewer copies than the settings say, a line each. ``event_time``: by processor, see
    ``infra.platform.event_times``. ``moved``: by topic, records that came to another partition than their subject's.
    ``unanswered``: what was asked of something that is healthy and could not be learned, a line each: what is missing in the
    answer for that reason is not known, which is not the same as nothing."""

    dir: str
    state: Literal["up", "partly up", "down"]
    components: list[dict[str, Any]]
    addresses: Addresses
    lag: dict[str, dict[str, int]] | None
    refused: str | None
    less_safe_topics: list[str] | None
    event_time: dict[str, EventTime]
    moved: dict[str, Moved]
    unanswered: list[str]


def status(settings: Settings) -> Status:
    """Ask every component of the platform. Takes some seconds where one hangs; raises nothing for one that is down."""
    running = supervisor.processes(settings)
    reports = [component(settings, part, running.get(part.name)) for part in components.of(settings)]
    healthy = sum(report.health == "healthy" for report in reports)
    stopped = sum(report.health == "stopped" for report in reports)
    reachable = bool(settings.bootstrap_servers) or any(
        report.name == "kafka" and report.health == "healthy" for report in reports
    )
    kafka = _ask(settings) if reachable else FromKafka()
    unanswered = [kafka.unanswered] if kafka.unanswered else []
    here = {report.name for report in reports if report.health == "healthy"}
    # One that runs on a host of its own is asked, too.
    asked = here | set(settings.network.hosts.metrics)
    times = event_times(settings, kafka.published_ms, processes=asked, silent=unanswered)
    return Status(
        dir=str(settings.dir),
        state="up" if healthy == len(reports) else "down" if stopped == len(reports) else "partly up",
        components=[asdict(report) for report in reports],
        addresses=addresses(settings),
        lag=kafka.lag,
        refused=kafka.refused,
        less_safe_topics=kafka.less_safe,
        event_time=times,
        moved=moved(settings),
        unanswered=unanswered,
    )


def component(settings: Settings, part: Component, process: Process | None) -> ComponentStatus:
    """Return one component's state, health and size."""
    ports, log = part.ports(settings), str(supervisor.log(settings, part.name))
    if process is None or not process.wanted:
        state = process.state if process else "STOPPED"
        reason = f"ended with {process.how}" if process and state in {"EXITED", "FATAL"} else ""
        down: Health = "unhealthy" if reason else "stopped"
        return ComponentStatus(part.name, down, reason, state, None, ports, None, None, log)
    reason = health.check(settings, part.name)
    return ComponentStatus(
        name=part.name,
        health="unhealthy" if reason else "healthy",
        reason=reason,
        state=process.state,
        pid=process.pid or None,
        ports=ports,
        uptime_s=round(time.time() - process.started_s, 1) if process.pid else None,
        rss_mb=memory_mb(process.pid) if process.pid else None,
        log=log,
    )


def memory_mb(pid: int) -> float | None:
    """Return the resident memory of a process and its children, MiB; None where it is gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return None
    total = 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.Error:
            continue
    return round(total / 2**20, 1)


def addresses(settings: Settings) -> Addresses:
    return Addresses(
        bootstrap_servers=settings.bootstrap,
        kafka_authority=str(settings.secrets / "ca.pem") if settings.secure_broker else "",
        redis=settings.redis_address,
        rest_url=settings.rest_url,
        grpc_address=settings.grpc_address,
        token_file=str(settings.token_file),
        metrics={name: settings.metrics_url(name) for name in components.PROCESSES if name in settings.ports.metrics},
    )


def _ask(settings: Settings) -> FromKafka:
    kafka = FromKafka()
    try:
        check(settings)
        kafka.lag = group_lags(settings)
        kafka.published_ms = newest_published(settings)
        kafka.less_safe = provision.less_safe_topics(settings)
    except SettingsError as error:
        kafka.refused = str(error)
    except Unreachable as error:
        kafka.unanswered = str(error)
    except KafkaException as error:
        refusal = refused(settings, error.args[0])
        kafka.refused = None if refusal is None else str(refusal)
        if refusal is None:
            kafka.unanswered = f"Kafka at {settings.bootstrap} does not say how far the processors are: {error.args[0].str()}"
    return kafka
