"""``result.json``: how a pipeline run ended. The pipeline writes it, control reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from features.base.files import write_json

FILE_NAME = "result.json"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended.

    Attributes:
        version: of the model store; None where none was registered.
        previous: the champion before ``version``, None where there was none.
        reason: for people: the gate's, or the error.
        metrics: of the candidate and the champion on the holdout, by name; None where one is not defined.
        serving: what the deploy step made ``version`` in the serving document; ``promoted`` is champion.
        seconds: wall time by step, and in ``total``.
        cpu_seconds: by step.
        peak_rss_mb: by step, of the largest of its processes.
    """

    state: Literal["registered", "rejected", "failed"]
    version: str | None = None
    previous: str | None = None
    reason: str = ""
    metrics: dict[str, float | None] = {}
    serving: Literal["shadow", "promoted", "none"] = "none"
    run_id: str = ""
    seconds: dict[str, float] = {}
    cpu_seconds: dict[str, float] = {}
    peak_rss_mb: dict[str, float] = {}


def write_result(run_dir: Path, result: Result) -> None:
    """Write the result of the run in ``run_dir``, whole or not at all."""
    write_json(run_dir / FILE_NAME, result)


def read_result(run_dir: Path) -> Result | None:
    """Read the result of the run in ``run_dir``; None where it left none. One that cannot be read is a failure with its
    reason."""
    path = run_dir / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        return Result(state="failed", reason=f"{path} is not a result: {error}")
