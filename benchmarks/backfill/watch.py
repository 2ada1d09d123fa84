"""Run a command and watch what it and its descendants use."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

import psutil

_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Used:
    """``output``: standard output. Wall and CPU seconds; highest resident memory in MiB, shared pages counted for each process.

    A process's last tenth of a second of CPU may be missing: it is looked at so often.
    """

    output: str
    wall_s: float
    cpu_s: float
    peak_mib: float


def run(command: list[str]) -> Used:
    """Raises RuntimeError where the command fails, and hands its standard error on."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        watcher = _Watcher(process.pid)
        watcher.start()
        output, _ = process.communicate()
        wall = time.perf_counter() - began
        watcher.stop()
        if process.returncode:
            errors.seek(0)
            sys.stderr.write(errors.read())
            raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}; its messages are above")
    return Used(output, wall, sum(watcher.cpu.values()), watcher.peak / 2**20)


class _Watcher(threading.Thread):
    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self._done = threading.Event()
        #: CPU seconds by process (its id and start, since ids are used again), and the highest sum of memory in bytes.
        self.cpu: dict[tuple[int, float], float] = {}
        self.peak = 0

    def run(self) -> None:
        while not self._done.wait(_EVERY_S):
            self._look()

    def stop(self) -> None:
        self._done.set()
        self.join()

    def _look(self) -> None:
        resident = 0
        try:
            processes = [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return
        for process in processes:
            try:
                times = process.cpu_times()
                self.cpu[process.pid, process.create_time()] = times.user + times.system
                resident += process.memory_info().rss
            except psutil.Error:  # ended in between
                continue
        self.peak = max(self.peak, resident)
