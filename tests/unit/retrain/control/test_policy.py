"""The policy: examples for each reason, and what holds for any sequence of requests."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.base.durations import HOUR_MS
from features.base.events import Cause, RetrainRequest
from features.base.sections import Policy
from retrain.control.policy import PolicyState, decide, finished, started

POLICY = Policy(cooldown_hours=24, min_labels=1000, min_positives=20)
START = 1_700_000_000_000


def request(key: str = "k", cause: Cause = "data_drift", hours: float = 0.0, **more: Any) -> RetrainRequest:
    return RetrainRequest(key, more.pop("model", "fraud"), cause, START + round(hours * HOUR_MS), **more)


def after_a_run(hours: float = 0.0) -> PolicyState:
    first = request("first", hours=hours)
    return finished(started(PolicyState(), first), first)


def test_a_first_request_starts() -> None:
    assert decide(request(labels=5000, evidence={"positives": 50}), PolicyState(), POLICY).start


def test_a_key_has_one_run() -> None:
    assert decide(request("first", "manual", 1000), after_a_run(), POLICY).code == "duplicate"


def test_one_run_at_a_time_for_a_model() -> None:
    state = started(PolicyState(), request("first"))
    assert decide(request("second", "manual", 100), state, POLICY).code == "run_in_progress"
    assert decide(request("second", model="other"), state, POLICY).start


@pytest.mark.parametrize(("hours", "starts"), [(0.0, False), (23.9, False), (24.0, True)])
def test_cooldown_is_in_event_time(hours: float, starts: bool) -> None:
    assert decide(request(hours=hours), after_a_run(), POLICY).start is starts


@pytest.mark.parametrize("cause", ["no_champion", "manual"])
def test_no_cooldown_for(cause: Cause) -> None:
    assert decide(request("second", cause, 0.1), after_a_run(), POLICY).start


def test_too_few_labels_or_frauds() -> None:
    assert decide(request(labels=999), PolicyState(), POLICY).code == "too_few_labels"
    assert decide(request(evidence={"positives": 19}), PolicyState(), POLICY).code == "too_few_positives"
    assert decide(request(cause="manual", labels=1, evidence={"positives": 0}), PolicyState(), POLICY).start


def test_what_was_not_counted_is_not_held_against_a_request() -> None:
    assert decide(request(evidence={"positives": "many"}), PolicyState(), POLICY).start


def test_the_state_survives_json() -> None:
    state = started(after_a_run(), request("second", hours=30))
    assert msgspec.json.decode(msgspec.json.encode(state), type=PolicyState) == state


requests = st.builds(
    request,
    key=st.sampled_from("abcdef"),
    cause=st.sampled_from(["no_champion", "data_drift", "concept_drift", "schedule", "manual"]),
    hours=st.integers(0, 200),
    model=st.sampled_from(["fraud", "other"]),
    labels=st.sampled_from([0, 500, 5000]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(requests, st.booleans()), max_size=40))
def test_for_any_sequence_of_requests(steps: list[tuple[RetrainRequest, bool]]) -> None:
    """One run a key, one at a time a model, and a cooldown between runs that have one. The flag ends the run in progress."""
    state = PolicyState()
    begun: list[str] = []
    in_progress: dict[str, RetrainRequest] = {}
    newest_end: dict[str, int] = {}
    for asked, end in steps:
        if decide(asked, state, POLICY).start:
            assert asked.idempotency_key not in begun
            assert asked.model not in in_progress
            if asked.cause not in ("no_champion", "manual") and asked.model in newest_end:
                assert asked.event_time_ms - newest_end[asked.model] >= POLICY.cooldown_hours * HOUR_MS
            begun.append(asked.idempotency_key)
            in_progress[asked.model] = asked
            state = started(state, asked)
        if end and asked.model in in_progress:
            ended = in_progress.pop(asked.model)
            newest_end[asked.model] = max(newest_end.get(asked.model, 0), ended.event_time_ms)
            state = finished(state, ended)
    assert sorted(state.keys) == sorted(begun)
    assert set(state.running) == set(in_progress)
