"""Pipeline runs as child processes that outlive a killed control and are found again.

The child inherits a locked file (``DIR/lock``): the kernel holds the lock for as long as the child lives, whoever its
parent is by then. So "does this run still live" is one flock away, with no process id to mistake for another one.
The process id in ``DIR/run.json`` (with the process's creation time) only serves to end a run.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil

from features.base.events import RetrainRequest
from features.base.files import Lock, Locked, write_json
from features.base.settings import Settings
from retrain.pipeline.result import FILE_NAME as RESULT_FILE

log = logging.getLogger(__name__)

#: Replaces ``driftloop pipeline run`` (shell syntax); the tests run a tiny script instead of a training.
COMMAND_VARIABLE = "DRIFTLOOP_PIPELINE_COMMAND"
#: TensorFlow and Spark need some seconds to give in to SIGTERM; the supervisor gives control itself longer than this.
TERMINATE_S = 5.0


class Launched(msgspec.Struct, frozen=True):
    """``run.json``: the process of a run."""

    pid: int
    create_time: float
    command: list[str]
    started_at_ms: int


class Launcher:
    """Starts, finds and ends the runs of one platform, each in its folder under ``settings.runs``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._exit_codes: dict[str, int] = {}

    def run_dir(self, run_id: str) -> Path:
        return self._settings.runs / run_id

    def start(self, run_id: str, request: RetrainRequest) -> bool:
        """Launch a run, unless it lives already or has its result: then nothing happens and the answer is False.

        Raises OSError where the folder or the command cannot be used.
        """
        folder = self.run_dir(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / RESULT_FILE).exists():
            return False
        lock = _try_lock(folder)
        if lock is None:
            return False
        try:
            request_file = folder / "request.json"
            request_file.write_bytes(msgspec.json.encode(request))
            command = [*self._command(), "--request", str(request_file), "--run-dir", str(folder)]
            with (folder / "log.txt").open("ab") as output:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "DRIFTLOOP_DIR": str(self._settings.dir)},
                    pass_fds=(lock.descriptor,),
                    # Its own group, so that ending a run ends what the run started, and nothing else.
                    start_new_session=True,
                )
        finally:
            lock.close()
        self._children[run_id] = child
        _remember(folder, child, command)
        return True

    def lives(self, run_id: str) -> bool:
        """Tell whether the run's process, ours or one left by a killed control, is still there."""
        child = self._children.get(run_id)
        if child is not None:
            if child.poll() is None:
                return True
            self._exit_codes[run_id] = child.returncode
            del self._children[run_id]
        folder = self.run_dir(run_id)
        if not folder.is_dir():
            return False
        lock = _try_lock(folder)
        if lock is None:
            return True
        lock.close()
        return False

    def exit_code(self, run_id: str) -> int | None:
        """Return how a child of ours ended; None for one that lives or that another control started."""
        return self._exit_codes.get(run_id)

    def terminate(self, run_id: str) -> None:
        """End a run and whatever it started: SIGTERM, then SIGKILL after a few seconds. Returns when it is gone."""
        group = self._group(run_id)
        if group is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(group, number)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + TERMINATE_S
            while self.lives(run_id) and time.monotonic() < deadline:
                time.sleep(0.05)
            if not self.lives(run_id):
                break
        # What the run itself started may have outlived it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)

    def _group(self, run_id: str) -> int | None:
        child = self._children.get(run_id)
        if child is not None:
            return child.pid
        try:
            launched = msgspec.json.decode((self.run_dir(run_id) / "run.json").read_bytes(), type=Launched)
            same = abs(psutil.Process(launched.pid).create_time() - launched.create_time) < 1.0
        except (OSError, msgspec.MsgspecError, psutil.Error):
            return None
        return launched.pid if same else None

    def _command(self) -> list[str]:
        chosen = os.environ.get(COMMAND_VARIABLE)
        if chosen:
            return shlex.split(chosen)
        return [str(Path(sys.executable).parent / "driftloop"), "pipeline", "run"]


def _remember(folder: Path, child: subprocess.Popen[bytes], command: list[str]) -> None:
    try:
        created = psutil.Process(child.pid).create_time()
    except psutil.Error:
        return
    launched = Launched(child.pid, created, command, time.time_ns() // 1_000_000)
    write_json(folder / "run.json", launched)


def _try_lock(folder: Path) -> Lock | None:
    """Take the run's lock and return it; None while somebody else holds it."""
    lock = Lock(folder / "lock", mode=0o600)
    try:
        lock.take(timeout_s=0.0)
    except Locked:
        lock.close()
        return None
    return lock
