"""Supervisor's configuration, and talking to it: it starts, watches and restarts the components of one platform.

It listens on a Unix socket that only this user can open, so it takes no port and needs no password.
"""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, RemoteDisconnected
from pathlib import Path
from typing import Any

from features.base.environment import without
from features.base.settings import Settings
from infra.errors import PlatformError
from infra.platform.components import Component

#: Every process of a platform carries its folder in this variable: so ``down`` finds them, even after supervisor was killed.
MARKER = "DRIFTLOOP_PLATFORM"

_LONGEST_SOCKET = 90  # the kernel's limit is 107, and supervisor first makes it under a longer name
#: Every call is answered at once: none waits for a start or a stop. Still it is given time, for a machine may be busy, and ``up``
#: ends a supervisor that does not answer, with all that it runs.
_ANSWER_S = 10.0
#: So many bytes of supervisor's log are looked at for how a process ended.
_LOG_END = 65_536
_RUNNING = frozenset({"STARTING", "RUNNING", "BACKOFF", "STOPPING"})

#: Supervisor's fault where it is about to end.
_SHUTTING_DOWN = 6

#: Small processes on a small machine: a pool of threads in each only takes the cores from the others.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_MAX_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "DO_NOT_TRACK": "1",
    "MALLOC_ARENA_MAX": "2",
}


@dataclass(frozen=True)
class Process:
    """What supervisor knows of a component. ``state`` is one of its names: STOPPED, STARTING, RUNNING, BACKOFF, FATAL, ...
    ``exit_status``: of its last end; -1 where a signal ended it, or that is not known."""

    name: str
    state: str
    pid: int
    started_s: float
    exit_status: int
    reason: str

    @property
    def wanted(self) -> bool:
        """Tell whether it runs, or supervisor is about to start it again."""
        return self.state in _RUNNING

    @property
    def how(self) -> str:
        """Return how it ended, for people."""
        return f"exit code {self.exit_status}" if self.exit_status >= 0 else "a signal"


class Unanswered(PlatformError, TimeoutError):
    """Supervisor is there and does not answer, so nobody knows what runs. Exit code 1: the request was fine.

    An OSError, too, as every failure to reach it.
    """

    exit_code = 1


class Closed(Unanswered):
    """Supervisor is there, and its socket is open to another user only."""


#: How a connection fails where no supervisor is there: no socket, one that nobody listens at any more, or one that ends just now.
_NOBODY = (FileNotFoundError, NotADirectoryError, ConnectionError, RemoteDisconnected)


def folder(settings: Settings) -> Path:
    return settings.dir / "run"


def logs(settings: Settings) -> Path:
    return settings.dir / "logs"


def socket_path(settings: Settings) -> Path:
    """Return a path in the platform's folder; where that is too deep for a socket's name, in a folder of /tmp that only this user
    can open."""
    inside = folder(settings) / "supervisor.sock"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET:
        return inside
    name = hashlib.sha256(os.fsencode(settings.dir)).hexdigest()[:12]
    return Path("/tmp", f"driftloop-{os.getuid()}-{name}", "supervisor.sock")


def configuration(settings: Settings, parts: tuple[Component, ...]) -> str:
    """Return the text of supervisord.conf. Nothing starts by itself: ``up`` decides the order."""
    run, logged = folder(settings), logs(settings)
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65_536)
    sections = [
        "[supervisord]",
        f"logfile={_escaped(logged / 'supervisor.log')}",
        f"pidfile={_escaped(run / 'supervisord.pid')}",
        f"childlogdir={_escaped(logged)}",
        "logfile_maxbytes=5MB",
        "logfile_backups=1",
        # What a secure platform writes, events among it, is for its owner only. Else as the user has it, and never for everybody
        # to change.
        f"umask={0o077 if settings.secure else _umask() | 0o022:03o}",
        f"minfds={files if files > 0 else 1024}",
        "[unix_http_server]",
        f"file={_escaped(socket_path(settings))}",
        "chmod=0700",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for part in parts:
        sections += [
            f"[program:{part.name}]",
            f"command={_escaped(shlex.join(part.command(settings)))}",
            f"directory={_escaped(settings.dir)}",
            "autostart=false",
            "autorestart=true",
            f"startsecs={part.start_s}",
            # Whatever is killed must come back, however often: each wait is a second longer than the one before.
            "startretries=1000000",
            "stopsignal=TERM",
            f"stopwaitsecs={part.stop_s}",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={_escaped(log(settings, part.name))}",
            "stdout_logfile_maxbytes=10MB",
            "stdout_logfile_backups=2",
        ]
    return "\n".join(sections) + "\n"


def _umask() -> int:
    """Return what this process takes away from the rights of new files."""
    before = os.umask(0o077)
    os.umask(before)
    return before


def log(settings: Settings, name: str) -> Path:
    """Return the component's log file; older ones beside it end in .1 and .2."""
    return logs(settings) / f"{name}.log"


def start(settings: Settings, parts: tuple[Component, ...], timeout_s: float = 15.0) -> None:
    """Start supervisor in the background, with no component running yet. Raises PlatformError."""
    if "%" in str(settings.dir):
        raise PlatformError(
            f"the folder {settings.dir} has a % in its path, which supervisor cannot take; choose another one with --dir"
        )
    run = folder(settings)
    run.mkdir(parents=True, exist_ok=True)
    logs(settings).mkdir(parents=True, exist_ok=True)
    _private(socket_path(settings).parent, run)
    socket_path(settings).unlink(missing_ok=True)
    path = run / "supervisord.conf"
    path.write_text(configuration(settings, parts))
    environment = {**without(os.environ), **_ENVIRONMENT, "DRIFTLOOP_DIR": str(settings.dir), MARKER: str(settings.dir)}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(path)],
        env=environment,
        cwd=settings.dir,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise PlatformError(f"supervisor did not start: {' '.join((done.stderr or done.stdout).split())}")
    deadline = time.monotonic() + timeout_s
    while not running(settings):
        if time.monotonic() > deadline:
            log = logs(settings) / "supervisor.log"
            raise PlatformError(f"supervisor does not answer {timeout_s:.0f} s after its start; see {log}")
        time.sleep(0.05)


def _private(parent: Path, run: Path) -> None:
    if parent == run:
        return
    parent.mkdir(mode=0o700, exist_ok=True)
    status = parent.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PlatformError(f"{parent} belongs to someone else or is open to others; remove it or choose a shorter --dir")


def running(settings: Settings) -> bool:
    """Tell whether this platform's supervisor answers; one that hangs does not. Raises Unanswered where another user's does."""
    try:
        return bool(_call(settings, "getState")["statename"])
    except Closed:
        raise
    except (OSError, HTTPException, xmlrpc.client.Error):
        return False


def pid(settings: Settings) -> int:
    """Return the supervisor's own pid. Raises OSError where it does not answer."""
    return int(_call(settings, "getPID"))


def processes(settings: Settings) -> dict[str, Process]:
    """Return all components by name; empty where supervisor does not run. Raises Unanswered where it hangs, does not let us in,
    or answers with something else: what it started may run."""
    try:
        entries = _call(settings, "getAllProcessInfo")
    except _NOBODY:
        return {}
    except Unanswered:
        raise
    except (OSError, HTTPException, xmlrpc.client.Error) as error:
        if isinstance(error, xmlrpc.client.Fault) and error.faultCode == _SHUTTING_DOWN:
            return {}  # it is about to end, and has ended what it ran
        raise Unanswered(
            f"the supervisor of {settings.dir} does not say what runs ({' '.join(str(error).split()) or type(error).__name__});"
            " look again, or run driftloop down, which ends all of it, then up"
        ) from error
    return {
        entry["name"]: Process(
            entry["name"],
            entry["statename"],
            entry["pid"],
            float(entry["start"]),
            _exit_status(settings, entry),
            str(entry["spawnerr"]),
        )
        for entry in entries
    }


def _exit_status(settings: Settings, entry: dict[str, Any]) -> int:
    # Of a process that ended too soon supervisor says 0, whatever it was; its log knows better.
    if entry["statename"] not in {"BACKOFF", "FATAL"}:
        return int(entry["exitstatus"])
    return last_exit(logs(settings) / "supervisor.log", entry["name"])


def last_exit(path: Path, name: str) -> int:
    """Return the exit status of the component's last end by the end of supervisor's log; -1 where that does not say one."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_END))
            text = file.read().decode(errors="replace")
    except OSError:
        return -1
    ends = re.findall(rf"exited: {re.escape(name)} \((?:exit status (\d+)|terminated by [^;)]*)", text)
    return int(ends[-1]) if ends and ends[-1] else -1


def start_component(settings: Settings, name: str) -> None:
    """Ask for a start; do not wait for it. One that already runs is left alone. Raises PlatformError, OSError."""
    try:
        _call(settings, "startProcess", name, False)
    except xmlrpc.client.Fault as fault:
        if "ALREADY_STARTED" not in fault.faultString:
            raise PlatformError(f"supervisor could not start {name}: {fault.faultString}") from fault


def stop_component(settings: Settings, name: str) -> None:
    """Ask for a stop; do not wait for it. Raises PlatformError, OSError."""
    try:
        _call(settings, "stopProcess", name, False)
    except xmlrpc.client.Fault as fault:
        if "NOT_RUNNING" not in fault.faultString:
            raise PlatformError(f"supervisor could not stop {name}: {fault.faultString}") from fault


def shutdown(settings: Settings) -> None:
    """Ask supervisor to end; do not wait for it. Raises OSError where it does not answer."""
    _call(settings, "shutdown")


def _call(settings: Settings, method: str, *arguments: str | bool) -> Any:
    """Ask supervisor. Raises Unanswered after ``_ANSWER_S``, another OSError or HTTPException where there is none, and
    xmlrpc.client.Error."""
    transport = _Transport(socket_path(settings))
    try:
        proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        return getattr(proxy.supervisor, method)(*arguments)
    except (TimeoutError, BlockingIOError) as error:  # the latter: so many wait for it that the kernel takes no more
        raise Unanswered(
            f"the supervisor of {settings.dir} does not answer (tried for {_ANSWER_S:.0f} s), and what it started may still run;"
            " run driftloop down, which ends all of it, then up"
        ) from error
    except PermissionError as error:
        raise Closed(
            f"the platform in {settings.dir} belongs to another user, who alone may ask its supervisor what runs"
            f" ({socket_path(settings)}); run this as that user, or choose another folder with --dir"
        ) from error
    finally:
        transport.close()


class _Transport(xmlrpc.client.Transport):
    """HTTP over supervisor's Unix socket, with a time-out, which supervisor's own transport lacks: it waits for ever for a
    supervisor that is stopped (SIGSTOP) or stuck."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> HTTPConnection:
        connection = _Connection(self._path)
        self._connection = host, connection
        return connection


class _Connection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_ANSWER_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _escaped(value: Path | str) -> str:
    return str(value).replace("%", "%%")
