"""What a step did, written where the runner finds it, whether the step ended well, badly or by force."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from features.base.files import locked

#: Not "lock": that one control holds for as long as the run lives.
LOCK = "runner.lock"
FOLDER = "steps"


class StepRecord(msgspec.Struct):
    """One step. ``cpu_seconds`` is that of its process from its start, ``peak_rss_mb`` of the
    largest of its processes. ``error`` is None where it ended well. ``details``: rows, metrics and so on."""

    step: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss_mb: float = 0.0
    error: str | None = None
    details: dict[str, Any] = {}


@contextmanager
def recorded(run_dir: Path, step: str) -> Iterator[dict[str, Any]]:
    """Time a step and keep its record in ``run_dir``; yields the details to fill. An error is recorded and raised again.

    The step also ends, at once, when the runner that started it is gone: nobody would take its result.
    """
    _end_with_runner(run_dir / LOCK)
    details: dict[str, Any] = {}
    record = StepRecord(step, details=details)
    path = run_dir / FOLDER / f"{step}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    start = time.monotonic()
    try:
        yield details
    except BaseException as error:
        text = str(error).strip()
        # Spark's messages go on for pages; the first line is the sentence.
        record.error = text.splitlines()[0] if text else type(error).__name__
        raise
    finally:
        record.seconds = round(time.monotonic() - start, 2)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        record.cpu_seconds = round(usage.ru_utime + usage.ru_stime + details.get("jvm_cpu_seconds", 0.0), 2)
        record.peak_rss_mb = round(max(usage.ru_maxrss / 1024, details.get("jvm_peak_mb", 0.0)), 1)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2))


def read(run_dir: Path, step: str) -> StepRecord | None:
    """Read the record of a step, None where it left none."""
    try:
        return msgspec.json.decode((run_dir / FOLDER / f"{step}.json").read_bytes(), type=StepRecord)
    except FileNotFoundError:
        return None


def read_all(run_dir: Path) -> dict[str, StepRecord]:
    """Read every step's record by name, in order of completion."""
    paths = sorted((run_dir / FOLDER).glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return {path.stem: msgspec.json.decode(path.read_bytes(), type=StepRecord) for path in paths}


def _end_with_runner(lock: Path) -> None:
    """Watch the lock that the runner holds for its life; on a cluster there is none."""
    if not lock.exists():
        return

    def watch() -> None:
        with locked(lock):
            os._exit(1)

    threading.Thread(target=watch, name="end-with-runner", daemon=True).start()
