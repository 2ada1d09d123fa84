"""How much memory the platform takes: sampled while the demo runs."""

from __future__ import annotations

import threading

import psutil

from features.base.settings import Settings
from infra.platform import supervisor

PERIOD_S = 2.0


class MemoryWatch:
    """Samples the resident memory of each component, its children counted with it, until ``stop()``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        #: Highest MiB seen, by component.
        self.peak_mb: dict[str, float] = {}
        #: Highest sum over all components seen at one time, MiB.
        self.peak_total_mb = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(timeout=10)

    def _watch(self) -> None:
        while not self._stopped.wait(PERIOD_S):
            total = 0.0
            for name, process in supervisor.processes(self._settings).items():
                used = _resident_mb(process.pid) if process.pid else 0.0
                self.peak_mb[name] = max(used, self.peak_mb.get(name, 0.0))
                total += used
            self.peak_total_mb = max(total, self.peak_total_mb)


def _resident_mb(pid: int) -> float:
    """Return the resident memory of a process and all below it, in MiB; pages shared between them are counted for each."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0.0
    used = 0.0
    for member in family:
        try:
            used += member.memory_info().rss / 2**20
        except psutil.Error:
            continue  # it ended between the two looks
    return used
