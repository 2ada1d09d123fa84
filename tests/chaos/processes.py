"""The processes under test, started anew whenever they end, as a supervisor does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from infra.platform.log_tail import last_lines
from infra.platform.supervisor import MARKER

ROOT = Path(__file__).parents[2]


class Child:
    """One process: kept alive until ``stop``. ``ends``: of those that ended though nobody killed them, the exit code and the last
    lines of the log."""

    def __init__(self, name: str, folder: Path, arguments: list[str], environment: dict[str, str]) -> None:
        self.name = name
        self.starts = 0
        self.ends: list[tuple[int, list[str]]] = []
        self._killed: set[int] = set()
        self._folder = folder
        self._command = [sys.executable, "-P", "-m", "infra.cli.main", "run", *arguments]
        known = {"DRIFTLOOP_DIR": str(folder), "PYTHONPATH": str(ROOT), MARKER: str(folder)}
        self._environment = {**os.environ, **known, **environment}
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper = threading.Thread(target=self._keep, name=name, daemon=True)
        self._keeper.start()

    def kill(self) -> None:
        """SIGKILL, and it is started again."""
        if self._process is not None:
            self._killed.add(self._process.pid)
            self._process.kill()

    def pause(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after ``seconds``."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)
            self._ending.wait(seconds)
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM; the exit code, which is that of SIGKILL where it takes longer than 20 s."""
        self._ending.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self._keeper.join(30)
        return process.returncode if process is not None else 0

    def _keep(self) -> None:
        log = self._folder / "logs" / f"{self.name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as out:
            while not self._ending.is_set():
                self.starts += 1
                self._process = subprocess.Popen(self._command, env=self._environment, cwd=self._folder, stdout=out, stderr=out)
                code = self._process.wait()
                if self._process.pid not in self._killed and not self._ending.is_set():
                    self.ends.append((code, last_lines(log, 6)))
                self._ending.wait(0.2)


def kill(pid: int) -> None:
    """SIGKILL to a process of the platform's supervisor, which starts it again."""
    os.kill(pid, signal.SIGKILL)


def wait_until(condition: object, timeout_s: float) -> bool:
    """Whether ``condition()`` came true in time."""
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False
