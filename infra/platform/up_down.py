"""The local platform: ``up`` and ``down``.

up:    ports and token -> supervisor -> kafka, redis -> topics, feature store -> our processes
down:  our processes -> kafka, redis -> supervisor -> whatever else still carries this platform's mark
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from features.base import environment, identity, kept_rates, private_files
from features.base.domain_name import DEFAULT_DOMAIN
from features.base.identity import Identity
from features.base.rates import RatesError
from features.base.settings import ADMIN, Settings, domain_in, prefix_in
from infra.errors import ComponentFailed, PlatformError
from infra.platform import components, folder, health, leftovers, ports, provision, repartition_journal, supervisor
from infra.platform.components import Component
from infra.platform.log_tail import last_lines
from infra.platform.supervisor import Process
from infra.security import acl, secrets
from infra.services import jars, kafka_broker, redis_server
from infra.services.locks import exclusive

#: Told (what, how it is, seconds since ``up`` began) as things happen.
Progress = Callable[[str, str, float], None]

_LOCK_S = 300.0
_POLL_S = 0.1
_TAIL = 12
#: A component that had to be started more often than this, while ``up`` waits for it, will not come up.
_MOST_STARTS = 3
_WRONG_SETTINGS = 2  # the exit code of our own commands for these: trying again gives the same


def _silent(what: str, how: str, seconds: float) -> None:
    pass


def secured(settings: Settings) -> Settings:
    """Remember in ``driftloop.toml`` that this platform is secure. Raises PlatformError where that cannot begin now."""
    if settings.bootstrap_servers:
        raise PlatformError(
            f"bootstrap_servers names a broker elsewhere ({settings.bootstrap_servers}), which --secure cannot change;"
            " write how to reach it into [kafka] (docs/security.md)"
        )
    if settings.secure:
        return settings
    if supervisor.running(settings):
        raise PlatformError(f"the platform in {settings.dir} runs without --secure; run driftloop down first, then up --secure")
    return ports.remember(settings, "secure", "true")


def up(settings: Settings, only: Iterable[str] | None = None, progress: Progress = _silent) -> Settings:
    """Bring the platform in ``settings.dir`` up and return its settings, ports filled in.

    ``only``: the components to start (the others are left as they are); all of them by default. What already runs and is
    healthy stays untouched, so a second ``up`` does nothing. Returns once each component is healthy.

    Raises ComponentFailed with the last lines of its log where one does not get there (what runs is left running, for a look;
    ``down`` ends it), PlatformError where a port is taken, the request makes no sense, or a repartition is unfinished,
    SettingsError for wrong settings.
    """
    wanted = _selection(settings, only)
    repartition_journal.refuse_unfinished(settings)
    return _up(settings, wanted, progress)


def services(settings: Settings, progress: Progress = _silent) -> Settings:
    """Bring up Kafka alone, for a repartition that goes on: no topic is made. Raises as ``up``."""
    return _up(settings, [part for part in components.of(settings) if part is components.KAFKA], progress, topics=False)


def _up(settings: Settings, wanted: list[Component], progress: Progress, topics: bool = True) -> Settings:
    began = time.monotonic()
    if refusal := folder.refusal(settings.dir):
        raise PlatformError(refusal)
    with exclusive(settings.dir, _LOCK_S, "up or down"):
        settings = ports.assign(settings, tuple(components.PROCESSES))
        if settings.domain != domain_in(settings.dir) and settings.domain != DEFAULT_DOMAIN:
            # It came from the environment, which the next command may lack.
            settings = ports.remember(settings, "domain", f'"{settings.domain}"')
        if settings.topic_prefix != prefix_in(settings.dir):
            settings = ports.remember(settings, "topic_prefix", f'"{settings.topic_prefix}"')
        _take_rates(settings, progress, began)
        identity.keep(settings.dir, Identity(settings.domain, settings.topic_prefix, settings.units.reference))
        make_token(settings)
        if settings.secure:
            secrets.prepare(settings, acl.USERS)
            secrets.export(settings)
        if not supervisor.running(settings):
            _end_leftovers(settings)
            _check_ports(settings, wanted)
            _prepare(settings, wanted, progress, began)
            if harmful := environment.harms(os.environ):
                progress("environment", environment.sentence(harmful), time.monotonic() - began)
            supervisor.start(settings, components.of(settings))
        else:
            _check_ports(settings, wanted)
            _prepare(settings, wanted, progress, began)
        with ThreadPoolExecutor(max_workers=1) as pool:
            # Importing Feast takes as long as starting Kafka: both at once. Registering does not talk to Redis.
            features = pool.submit(provision.features, settings) if _needs_features(settings, wanted) else None
            bring_up(settings, [part for part in wanted if part.stage == 0], progress, began)
            if topics:
                _create_topics(settings, wanted, progress, began)
            if features:
                features.result()
                progress("features", "applied", time.monotonic() - began)
        bring_up(settings, [part for part in wanted if part.stage == 1], progress, began)
    return settings


def _take_rates(settings: Settings, progress: Progress, began: float) -> None:
    """Take in the file of ``units.rates``; of a folder that is made now they count from the beginning. Raises PlatformError."""
    try:
        new = kept_rates.take(settings, identity.read(settings.dir) is None)
    except RatesError as error:
        raise PlatformError(f"units.rates: {error}") from error
    if new:
        progress("rates", f"{len(new)} taken in", time.monotonic() - began)


def down(settings: Settings, progress: Progress = _silent) -> None:
    """Stop everything of the platform in ``settings.dir``; its data stays. Nothing runs: nothing happens.

    Raises ComponentFailed where a process survives even being killed.
    """
    if not settings.dir.exists():
        return
    began = time.monotonic()
    with exclusive(settings.dir, _LOCK_S, "up or down"):
        if supervisor.running(settings):
            for stage in (1, 0):
                stop_parts(settings, [part for part in components.ALL if part.stage == stage], progress, began)
            _end_supervisor(settings)
        _end_leftovers(settings)
        _tidy(settings)


def make_token(settings: Settings) -> None:
    """Make the model server's bearer token, at first ``up``; readable by its owner only."""
    private_files.password(settings.token_file)


def _selection(settings: Settings, only: Iterable[str] | None) -> list[Component]:
    parts = components.of(settings)
    if only is None:
        return list(parts)
    names = set(only)
    unknown = names - {part.name for part in parts}
    if unknown:
        known = ", ".join(part.name for part in parts)
        raise PlatformError(f"no component named {', '.join(sorted(unknown))}; the components here are {known}")
    return [part for part in parts if part.name in names]


def _check_ports(settings: Settings, wanted: list[Component]) -> None:
    running = supervisor.processes(settings)
    for part in wanted:
        if part.name in running and running[part.name].wanted:
            continue
        for label, port in part.ports(settings).items():
            host = components.bind(settings, part.name, label)
            if not ports.is_free(port, host):
                raise PlatformError(
                    f"{part.name} cannot listen on its {label} port {host}:{port}: {ports.holder(port)} does;"
                    f" end that, or change the port in {settings.dir / 'driftloop.toml'}"
                )


def _prepare(settings: Settings, wanted: list[Component], progress: Progress, began: float) -> None:
    names = {part.name for part in wanted}
    if "kafka" in names:
        if not jars.complete(jars.place()):
            progress("kafka", "fetching once, 45 MB", time.monotonic() - began)
        kafka_broker.prepare(settings)
    if "redis" in names:
        redis_server.prepare(settings)


def _needs_features(settings: Settings, wanted: list[Component]) -> bool:
    """Tell whether a process of ours is about to start."""
    running = supervisor.processes(settings)
    return any(part.name in components.PROCESSES and not running[part.name].wanted for part in wanted)


def _create_topics(settings: Settings, wanted: list[Component], progress: Progress, began: float) -> None:
    if components.KAFKA in wanted or settings.bootstrap_servers:
        if settings.secure_broker:
            changed = provision.rights(settings)
            progress("rights", f"{changed} rules changed" if changed else "as they should be", time.monotonic() - began)
        for line in provision.less_safe_topics(settings.as_user(ADMIN)):
            progress("topics", line, time.monotonic() - began)
        created = provision.topics(settings)
        if created:
            progress("topics", f"{len(created)} created", time.monotonic() - began)


def bring_up(settings: Settings, parts: list[Component], progress: Progress, began: float) -> None:
    """Start these, and return when they are healthy. For a holder of the platform's lock. Raises ComponentFailed."""
    running = _once_none_is_stopping(settings, parts)
    present = {part.name for part in parts if part.name in running and running[part.name].wanted}
    for part in parts:
        if part.name in present and running[part.name].state == "BACKOFF":
            # It waits for its next try, and would be judged by its last: what was wrong may be mended.
            supervisor.stop_component(settings, part.name)
            present.remove(part.name)
        if part.name not in present:
            supervisor.start_component(settings, part.name)
            progress(part.name, "starting", time.monotonic() - began)
    started = time.monotonic()
    pids: dict[str, set[int]] = {part.name: set() for part in parts}
    waiting = list(parts)
    while waiting:
        processes = supervisor.processes(settings)
        for part in list(waiting):
            if _is_healthy(settings, part, processes.get(part.name), pids[part.name], time.monotonic() - started):
                waiting.remove(part)
                progress(part.name, "was healthy already" if part.name in present else "healthy", time.monotonic() - began)
        time.sleep(_POLL_S)


def _once_none_is_stopping(settings: Settings, parts: list[Component]) -> dict[str, Process]:
    """Return what runs, after whatever is still ending: whoever asked for that was killed meanwhile, and a start would be lost on
    it."""
    deadline = time.monotonic() + max((part.stop_s for part in parts), default=0.0) + 5
    names = {part.name for part in parts}
    while True:
        running = supervisor.processes(settings)
        stopping = any(process.state == "STOPPING" for name, process in running.items() if name in names)
        if not stopping or time.monotonic() > deadline:
            return running
        time.sleep(_POLL_S)


def _is_healthy(settings: Settings, part: Component, process: Process | None, pids: set[int], waited_s: float) -> bool:
    """Tell whether it is there; raises ComponentFailed where it will not be. ``pids`` collects its incarnations."""
    log = supervisor.log(settings, part.name)
    if process is None:
        raise ComponentFailed(part.name, "is not known to this platform's supervisor; run down, then up", [], str(log))
    if process.pid:
        pids.add(process.pid)
    reason = health.check(settings, part.name)
    if reason == health.HEALTHY and process.pid:
        return True
    ended = _ended(process, pids)
    if ended or waited_s > part.ready_s:
        failure = ended or f"is not healthy after {part.ready_s:.0f} s ({reason})"
        raise ComponentFailed(part.name, failure, last_lines(log, _TAIL), str(log))
    return False


def _ended(process: Process, pids: set[int]) -> str:
    """Return why it will not come up, empty while it still may."""
    if process.state == "FATAL":
        return f"does not start: {process.reason or process.how}"
    if process.state in {"BACKOFF", "EXITED"} and process.exit_status == _WRONG_SETTINGS:
        return f"ended with exit code {process.exit_status}"
    if process.state in {"BACKOFF", "EXITED"} and len(pids) >= _MOST_STARTS:
        return f"ended {len(pids)} times, the last time with {process.how}"
    if process.state == "STOPPED":
        return "was stopped meanwhile"
    return ""


def stop_parts(settings: Settings, parts: list[Component], progress: Progress, began: float) -> None:
    """Stop these, and wait for their ends. For a holder of the platform's lock."""
    running = supervisor.processes(settings)
    for part in reversed(parts):
        if part.name in running and running[part.name].wanted:
            supervisor.stop_component(settings, part.name)
    deadline = time.monotonic() + max(part.stop_s for part in parts) + 5
    waiting = {part.name for part in parts if part.name in running and running[part.name].wanted}
    while waiting and time.monotonic() < deadline:
        processes = supervisor.processes(settings)
        for name in sorted(waiting):
            if name not in processes or not processes[name].wanted:
                waiting.remove(name)
                progress(name, "stopped", time.monotonic() - began)
        time.sleep(_POLL_S)


def _end_supervisor(settings: Settings) -> None:
    import psutil

    try:
        process = psutil.Process(supervisor.pid(settings))
        supervisor.shutdown(settings)
        psutil.wait_procs([process], timeout=15)
    except (psutil.Error, OSError):
        return  # it ended by itself meanwhile


def _end_leftovers(settings: Settings) -> None:
    left = leftovers.end(leftovers.find(settings), grace_s=20)
    if left:
        names = ", ".join(f"{process.name()} (pid {process.pid})" for process in left)
        raise ComponentFailed(names, "cannot be ended", [], str(supervisor.logs(settings)))


def _tidy(settings: Settings) -> None:
    sock = supervisor.socket_path(settings)
    sock.unlink(missing_ok=True)
    if sock.parent != supervisor.folder(settings):
        shutil.rmtree(sock.parent, ignore_errors=True)
    shutil.rmtree(supervisor.folder(settings), ignore_errors=True)
