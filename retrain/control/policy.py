"""The policy: does a retrain request become a run? Pure; event time from the requests is its only clock.

::

    request --same key asked before?--running?--cooldown?--enough labels and positives?--> start
                      |                 |          |               |
                   declined          declined   declined       declined

The order matters: what can never start (a key that had its run) is said before what could start later.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from features.base.active import WORDS
from features.base.durations import HOUR_MS
from features.base.events import RetrainRequest
from features.base.sections import Policy

#: Why a request is declined; also the label on ``driftloop_declined_total``.
Code = Literal["start", "duplicate", "run_in_progress", "cooldown", "too_few_labels", "too_few_positives"]


class PolicyState(msgspec.Struct, frozen=True):
    """What the policy remembers, serialisable as JSON.

    ``keys`` had a run; ``running`` is the key of the run in progress by model; ``finished_ms`` is the event time of
    the newest request whose run finished (whatever came of it) by model.
    """

    keys: frozenset[str] = frozenset()
    running: dict[str, str] = {}
    finished_ms: dict[str, int] = {}


class Decision(msgspec.Struct, frozen=True):
    """The answer to one request. ``reason`` is a sentence for people, ``code`` a word for programs."""

    start: bool
    code: Code
    reason: str


def decide(request: RetrainRequest, history: PolicyState, policy: Policy) -> Decision:
    """Start a run for ``request`` or not.

    - One run per idempotency key, ever, and one run at a time per model.
    - A cooldown since the last finished run, except for the causes ``no_champion`` (there is nothing to protect) and ``manual``.
    - Enough labels (``request.labels``, 0 means not counted) and positives (``request.evidence["positives"]``, where given),
      except for ``manual``.
    """
    if request.idempotency_key in history.keys:
        return _no("duplicate", f"the key {request.idempotency_key!r} had its run; ask with a new key")
    running = history.running.get(request.model)
    if running is not None:
        return _no("run_in_progress", f"run in progress for {running!r}")
    if request.cause not in ("no_champion", "manual"):
        finished = history.finished_ms.get(request.model)
        if finished is not None:
            hours = (request.event_time_ms - finished) / HOUR_MS
            if hours < policy.cooldown_hours:
                return _no("cooldown", f"cooldown: {hours:.1f} h since the last run, {policy.cooldown_hours:g} h are asked for")
    if request.cause != "manual":
        if 0 < request.labels < policy.min_labels:
            return _no("too_few_labels", f"{request.labels} labels, {policy.min_labels} are asked for")
        positives = request.evidence.get("positives")
        if isinstance(positives, int | float) and positives < policy.min_positives:
            return _no(
                "too_few_positives", f"{positives:g} {WORDS.positives} among the labels, {policy.min_positives} are asked for"
            )
    return Decision(True, "start", request.reason or request.cause)


def started(history: PolicyState, request: RetrainRequest) -> PolicyState:
    """Return the state once a run for ``request`` has begun."""
    return PolicyState(
        history.keys | {request.idempotency_key},
        {**history.running, request.model: request.idempotency_key},
        history.finished_ms,
    )


def finished(history: PolicyState, request: RetrainRequest) -> PolicyState:
    """Return the state once the run for ``request`` has ended. One that is not in progress only counts for the cooldown."""
    running = {model: key for model, key in history.running.items() if key != request.idempotency_key}
    newest = max(request.event_time_ms, history.finished_ms.get(request.model, request.event_time_ms))
    return PolicyState(history.keys, running, {**history.finished_ms, request.model: newest})


def _no(code: Code, reason: str) -> Decision:
    return Decision(False, code, reason)
