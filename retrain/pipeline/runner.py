"""One run on this machine: KFP's local runner around the pipeline function, in a folder of its own.

Whatever happens, ``result.json`` says how it ended. A run that was killed has none and may be started again in the same folder.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import msgspec
from msgspec.structs import replace

from features.base.events import RetrainRequest
from features.base.files import Locked, locked
from features.base.settings import Settings
from features.base.storage import open_store
from retrain.pipeline import step_record
from retrain.pipeline.result import FILE_NAME, Result, read_result, write_result

log = logging.getLogger(__name__)

REQUEST = "request.json"
#: Time for the steps of a killed runner to notice that it is gone and let go of the lock.
LOCK_WAIT_S = 10.0


class RunBusy(RuntimeError):
    """Another process is at work in the run's folder."""


def run(request: RetrainRequest, settings: Settings, run_dir: Path) -> Result:
    """Run the pipeline for ``request`` in ``run_dir`` and write its result there; a finished run is not run again.

    Never raises for a failed step: that is a result with the state ``failed``. Raises RunBusy, and SettingsError where fsspec
    does not know ``storage.runs``.
    """
    run_dir = run_dir.absolute()
    run_dir.mkdir(parents=True, exist_ok=True)
    with _locked(run_dir):
        done = read_result(run_dir) or _kept_result(settings, run_dir.name)
        if done is not None and done.state != "failed":
            return done
        (run_dir / FILE_NAME).unlink(missing_ok=True)
        shutil.rmtree(run_dir / step_record.FOLDER, ignore_errors=True)
        with _terminated_as_failed(run_dir):
            start = time.monotonic()
            error = _run_pipeline(request, settings, run_dir)
            result = collect(run_dir, error)
            result.seconds["total"] = round(time.monotonic() - start, 2)
            write_result(run_dir, result)
            _keep(settings, run_dir)
        for leftover in ("tmp", "spark", "workspace"):
            shutil.rmtree(run_dir / leftover, ignore_errors=True)
        return result


def collect(run_dir: Path, error: str | None) -> Result:
    """Make the result from the steps' records; ``error`` is what the runner itself saw go wrong, None where nothing did."""
    steps = step_record.read_all(run_dir)
    result = Result(
        state="failed",
        run_id=run_dir.name,
        seconds={name: step.seconds for name, step in steps.items()},
        cpu_seconds={name: step.cpu_seconds for name, step in steps.items()},
        peak_rss_mb={name: step.peak_rss_mb for name, step in steps.items()},
    )
    registered, judged = steps.get("register"), steps.get("gate")
    if registered is not None and registered.error is None:
        result = replace(result, version=registered.details["version"], metrics=registered.details["metrics"])
    broken = [f"{step.step}: {step.error}" for step in steps.values() if step.error is not None]
    if error is not None or broken:
        return replace(result, reason=broken[-1] if broken else str(error))
    if judged is None or result.version is None or registered is None:
        return replace(result, reason="the pipeline ended without registering a version; its log tells why")
    if registered.details["state"] == "rejected":
        return replace(result, state="rejected", reason=judged.details["reason"])
    deployed = steps.get("deploy")
    if deployed is None:
        # A condition that KFP cannot read counts as false, silently.
        return replace(result, reason=f"{result.version} passed the gate but was not deployed; its log tells why")
    serving, previous = deployed.details["serving"], deployed.details["previous"]
    return replace(result, state="registered", reason=judged.details["reason"], serving=serving, previous=previous)


def _run_pipeline(request: RetrainRequest, settings: Settings, run_dir: Path) -> str | None:
    """Run the pipeline and return None, or one line on what went wrong."""
    scratch = run_dir / "tmp"
    scratch.mkdir(exist_ok=True)
    # KFP leaves each component's source in the temporary folder.
    os.environ["TMPDIR"] = str(scratch)
    root = str(Path(__file__).resolve().parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    os.environ["PYTHONUNBUFFERED"] = "1"
    try:
        from kfp import local

        from retrain.pipeline.definition import training_pipeline

        local.init(
            local.SubprocessRunner(use_venv=False),
            pipeline_root=str(run_dir / "pipeline"),
            workspace_root=str(run_dir / "workspace"),
        )
        training_pipeline(settings_dir=str(settings.dir), run_dir=str(run_dir), request=msgspec.json.encode(request).decode())
    except Exception as error:
        return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
    return None


@contextmanager
def _locked(run_dir: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(run_dir / step_record.LOCK, LOCK_WAIT_S))
        except Locked:
            raise RunBusy(f"another process is at work in {run_dir}; wait for it or end it") from None
        yield


@contextmanager
def _terminated_as_failed(run_dir: Path) -> Iterator[None]:
    """Write the result on SIGTERM and leave at once; the running step sees the lock fall and leaves, too."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        write_result(run_dir, collect(run_dir, f"ended by signal {signal.Signals(number).name}"))
        sys.stdout.flush()
        os._exit(1)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _keep(settings: Settings, run_dir: Path) -> None:
    """Put what lasts of a run to where ``storage.runs`` says, its result last; in the platform's folder it is there already."""
    if "://" not in settings.storage.runs:
        return
    store = open_store(settings.runs_root, "storage.runs")
    records = [path for path in (run_dir / REQUEST, *sorted((run_dir / step_record.FOLDER).glob("*.json"))) if path.exists()]
    try:
        for path in [*records, run_dir / FILE_NAME]:
            store.write(f"{run_dir.name}/{path.relative_to(run_dir).as_posix()}", path.read_bytes())
    except Exception:
        # The run is done, and its version registered: that its records could not be put there must not make it run again.
        log.exception("the records of run %s could not be put to storage.runs; they stay in %s", run_dir.name, run_dir)


def _kept_result(settings: Settings, run_id: str) -> Result | None:
    """Return what another host did under this name."""
    if "://" not in settings.storage.runs:
        return None
    try:
        return msgspec.json.decode(open_store(settings.runs_root, "storage.runs").read(f"{run_id}/{FILE_NAME}"), type=Result)
    except FileNotFoundError:
        return None
