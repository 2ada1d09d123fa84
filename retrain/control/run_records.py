"""What control remembers of one request: one entry of the table ``runs``, by idempotency key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from features.base.events import RetrainRequest
from retrain.control.policy import PolicyState, finished, started

RunState = Literal["declined", "running", "registered", "rejected", "failed"]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what came of it. ``offset`` is its place in ``retrain-requests``; ``attempt`` counts launches from 1."""

    request: RetrainRequest
    offset: int
    state: RunState
    run_id: str = ""
    attempt: int = 1
    version: str | None = None
    reason: str = ""


def encode(run: Run) -> dict[str, Any]:
    """Return the run as plain values, for Faust's JSON table."""
    plain: dict[str, Any] = msgspec.to_builtins(run)
    return plain


def decode(value: dict[str, Any]) -> Run:
    """Read a run from the table. Raises msgspec.ValidationError where the changelog holds something else."""
    return msgspec.convert(value, Run)


def run_id(key: str, attempt: int) -> str:
    """Make a folder name for a key: readable, unique, the same after a restart. Later attempts end in their number."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")[:40]
    return f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:8]}" + (f"-{attempt}" if attempt > 1 else "")


def policy_state(runs: Iterable[Run]) -> PolicyState:
    """Return what the policy remembers, from the table. A declined request had no run: its key may be asked again."""
    state = PolicyState()
    for run in runs:
        if run.state != "declined":
            state = started(state, run.request) if run.state == "running" else finished(_asked(state, run.request), run.request)
    return state


def _asked(state: PolicyState, request: RetrainRequest) -> PolicyState:
    return PolicyState(state.keys | {request.idempotency_key}, state.running, state.finished_ms)
