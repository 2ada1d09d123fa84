"""A processor under test, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import psutil

from features.base.settings import Settings

ROOT = Path(__file__).parents[2]
_STOP_S = 20


class Child:
    """Started at once; ended with the ``with`` block. What it prints goes to ``logs/NAME.log`` of the platform."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        arguments: list[str],
        python: str = sys.executable,
        *,
        piped: bool = False,
        environment: dict[str, str] | None = None,
    ) -> None:
        """``arguments`` are Python's, ``environment`` is added to this process's own. ``piped``: its output is read here."""
        self.log = settings.dir / "logs" / f"{name}.log"
        self.log.parent.mkdir(exist_ok=True)
        env = {**os.environ, "DRIFTLOOP_DIR": str(settings.dir), "PYTHONPATH": str(ROOT), **(environment or {})}
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [python, *arguments], env=env, cwd=settings.dir, stdout=subprocess.PIPE if piped else out, stderr=out
            )
        self._seen = psutil.Process(self._process.pid)

    def cpu_s(self) -> float:
        """CPU seconds so far, its threads' included. Raises RuntimeError, with the end of its log, where it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.log.stem} ended with exit code {self._process.returncode}:\n{self.tail()}")
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:]

    def pause(self) -> None:
        """SIGSTOP. Its group waits for it for ten seconds."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def wait_for_line(self) -> None:
        """Until a piped one prints a line. Raises RuntimeError where it ends before."""
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            self._process.wait(_STOP_S)
            self.cpu_s()

    def wait(self, seconds: float) -> None:
        """Until it ends by itself. Raises TimeoutExpired, and RuntimeError where its exit code is not 0."""
        if self._process.wait(seconds):
            self.cpu_s()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def scorer(settings: Settings, max_batch: int | None = None, environment: dict[str, str] | None = None) -> Child:
    """``driftloop run scorer``."""
    batch = {} if max_batch is None else {"DRIFTLOOP_SCORING__MAX_BATCH": str(max_batch)}
    return Child(
        settings, "scorer", ["-P", "-m", "infra.cli.main", "run", "scorer"], environment={**batch, **(environment or {})}
    )


def hop(
    settings: Settings, source: str, target: str, max_batch: int, *changes: str, environment: dict[str, str] | None = None
) -> Child:
    """``benchmarks.streams.passthrough``; ``changes`` to its producer's settings, each as NAME=VALUE."""
    arguments = ["-P", "-m", "benchmarks.streams.passthrough", source, target, str(max_batch), *changes]
    return Child(settings, f"hop-{source}", arguments, environment=environment)
