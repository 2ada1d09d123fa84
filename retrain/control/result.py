"""``result.json``: what a pipeline run says of itself at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

FILE_NAME = "result.json"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """``serving`` says what the deploy step wrote into the serving document for ``version``."""

    state: Literal["registered", "rejected", "failed"]
    version: str | None = None
    previous: str | None = None
    reason: str = ""
    metrics: dict[str, float | None] = {}
    serving: Literal["shadow", "promoted", "none"] = "none"


def read(run_dir: Path) -> Result | None:
    """The result of the run in ``run_dir``; None where it left none. One that cannot be read is a failure with its reason."""
    path = run_dir / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        return Result(state="failed", reason=f"{path} is not a result: {error}")
