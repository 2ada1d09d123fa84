"""Records of the table, and what the policy is told of them."""

from __future__ import annotations

from features.base.events import RetrainRequest
from retrain.control.run_records import Run, RunState, decode, encode, policy_state, run_id


def run(key: str, state: RunState, at: int = 1_700_000_000_000) -> Run:
    request = RetrainRequest(key, "fraud", "data_drift", at, evidence={"share": 0.5}, exclude=[(1, 2)])
    return Run(request=request, offset=3, state=state)


def test_a_record_survives_the_table() -> None:
    assert decode(encode(run("a", "running"))) == run("a", "running")


def test_run_ids_are_folder_names_of_their_own() -> None:
    ids = [run_id("a/b", 1), run_id("a b", 1), run_id("a/b", 2), run_id("../..", 1), run_id("x" * 500, 1)]
    assert len(set(ids)) == len(ids)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and len(name) < 60 for name in ids)


def test_the_policy_is_told_of_runs_and_not_of_declined_requests() -> None:
    state = policy_state([run("a", "rejected", 5), run("b", "declined", 9), run("c", "failed", 7), run("d", "running", 8)])
    assert state.keys == {"a", "c", "d"}
    assert state.running == {"fraud": "d"}
    assert state.finished_ms == {"fraud": 7}
