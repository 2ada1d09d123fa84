"""Processes of a platform that nobody supervises any more, found by the marker in their environment."""

from __future__ import annotations

import os
from contextlib import suppress

import psutil

from features.base.settings import Settings
from infra.platform.supervisor import MARKER


def find(settings: Settings) -> list[psutil.Process]:
    """Find all processes that this platform started and that still run, supervisor among them; never this process."""
    wanted = str(settings.dir)
    processes = []
    for process in psutil.process_iter():
        try:
            ours = process.pid != os.getpid() and process.environ().get(MARKER) == wanted
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
        except (psutil.Error, OSError):
            continue
    return processes


def end(processes: list[psutil.Process], grace_s: float) -> list[psutil.Process]:
    """Ask them to end, kill after ``grace_s`` seconds what does not, and return what is left even then."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=grace_s)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _, alive = psutil.wait_procs(alive, timeout=10)
    return [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
