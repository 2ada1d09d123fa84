"""Roll-backs without a broker: what the log makes of them, what is refused, and when one is done."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from features.base.events import ModelEvent, ModelState
from features.catalogue.vector import SCHEMA
from retrain.control.announced import Announced
from retrain.control.rollback import answer, is_served, is_written, outdated, refusal
from retrain.control.rollout import ServerStatus
from serving.store.document import ServingDocument
from serving.store.model_store import ModelStore
from streams.drift.requests import Asking
from tests.unit.serving.tiny_models import make_manifest, onnx_bytes, version_folder

SERVED = ServingDocument(generation=7, champion="v3", shadow="v4", shadow_transactions=100)


def event(state: ModelState, version: str, key: str | None = None) -> ModelEvent:
    return ModelEvent("fraud", state, 5, 1, idempotency_key=key, version=version)


def asked(version: str = "v2", key: str = "a-key", previous: str | None = "v3") -> ModelEvent:
    return ModelEvent(
        "fraud", "rollback_requested", 5, 1, key, None, version, previous, cause="manual", reason="too many misses", by="ana"
    )


def log(*events: ModelEvent) -> Announced:
    announced = Announced("fraud")
    for each in events:
        announced.take(each)
    return announced


THREE = tuple(event("promoted", version) for version in ("v1", "v2", "v3"))


def test_the_version_before_is_the_champion_before_and_never_one_that_was_rolled_back() -> None:
    assert log(*THREE).before("v3") == "v2"
    once = (*THREE, event("rolled_back", "v2"))
    assert log(*once).before("v2") == "v1"
    assert log(*once, event("rolled_back", "v1")).before("v1") is None
    # Promoted after the roll-back: v3 stays out.
    assert log(*once, event("promoted", "v4")).before("v4") == "v2"
    # Back to what was rolled back, on purpose.
    assert log(*once, event("rolled_back", "v3")).before("v3") == "v2"
    assert log(*THREE, event("rolled_back", "v1"), event("rolled_back", "v3")).before("v3") == "v1"


def test_before_a_champion_that_is_not_announced_yet_comes_the_announced_one() -> None:
    assert log(*THREE).before("v4") == "v3"
    assert log().before("v1") is None


@pytest.mark.parametrize("state", ["rolled_back", "declined"])
def test_a_request_is_open_until_its_answer_and_not_again_when_it_is_read_again(state: ModelState) -> None:
    announced = log(*THREE, asked())
    announced.take(asked())
    assert [request.idempotency_key for request in announced.rollbacks] == ["a-key"]
    assert announced.champion == "v3"
    announced.take(event(state, "v2", "another"))
    assert len(announced.rollbacks) == 1
    announced.take(answer(asked(), "rolled_back" if state == "rolled_back" else "declined"))
    announced.take(asked())
    assert announced.rollbacks == []


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """v1 of another schema, v2 and v3 of today's, v4 newer, v5 that did not pass the gate."""
    store = ModelStore(tmp_path / "models")
    data = onnx_bytes()
    for version in ("v1", "v2", "v3", "v4", "v5"):
        manifest = make_manifest(version, data, schema="other" if version == "v1" else SCHEMA)
        if version == "v5":
            manifest = msgspec.structs.replace(manifest, state="rejected")
        store.add(version_folder(tmp_path / version, version, data, manifest))
    return store


def test_the_champion_before_may_be_rolled_back_to_and_an_older_version_too(store: ModelStore) -> None:
    assert refusal(store, SERVED, log(*THREE), "v2", SCHEMA) is None
    assert refusal(store, SERVED, log(THREE[2]), "v2", SCHEMA) is None


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("v9", "'v9' is not in .*; there are: v1, v2, v3, v4, v5"),
        ("../v2", "is no version name"),
        ("v3", "v3 is champion already"),
        ("v1", f"v1 takes vectors of schema other, and the stream makes {SCHEMA}"),
        ("v4", "v4 is newer than v3 and was never champion"),
        ("v5", "v5 did not pass the gate"),
    ],
)
def test_what_is_refused_is_told_in_one_line(store: ModelStore, version: str, why: str) -> None:
    reason = refusal(store, SERVED, log(*THREE), version, SCHEMA)
    assert reason is not None
    with pytest.raises(ValueError, match=why):
        raise ValueError(reason)
    assert "\n" not in reason


def test_a_newer_version_that_was_champion_may_be_gone_back_to(store: ModelStore) -> None:
    assert refusal(store, SERVED, log(*THREE, event("promoted", "v4"), event("rolled_back", "v3")), "v4", SCHEMA) is None


def test_a_broken_version_and_an_empty_platform_are_refused(store: ModelStore) -> None:
    (store.path("v2") / "model.onnx").write_bytes(b"broken")
    assert "sha256" in str(refusal(store, SERVED, log(*THREE), "v2", SCHEMA))
    assert "nothing is served yet" in str(refusal(store, ServingDocument(), log(), "", SCHEMA))


def test_a_request_to_roll_back_a_version_that_is_not_champion_any_more_is_outdated() -> None:
    assert outdated(SERVED, asked(previous="v3")) is None
    assert "v3 is champion by now, and v1 was" in str(outdated(SERVED, asked(previous="v1")))


def test_it_is_done_when_the_server_serves_it_or_another_version_took_over() -> None:
    written = ServingDocument(generation=8, champion="v2", rollback="a-key")
    served = ServerStatus(generation=8, champion="v2")
    assert is_written(written, asked())
    assert is_served(written, served, asked())
    assert not is_served(written, ServerStatus(generation=7, champion="v3"), asked())
    assert not is_served(written, ServerStatus(generation=8, champion="v3", error="v2 is broken"), asked())
    assert not is_served(written, None, asked())
    assert not is_served(written, served, asked(key="another"))
    assert is_served(msgspec.structs.replace(written, generation=9, champion="v4"), served, asked())


def test_the_answer_says_who_asked_and_why_and_a_decline_says_why_not() -> None:
    done = answer(asked(), "rolled_back", event_time_ms=9)
    assert (done.state, done.version, done.previous, done.reason, done.by) == (
        "rolled_back",
        "v2",
        "v3",
        "too many misses",
        "ana",
    )
    assert (done.idempotency_key, done.event_time_ms) == ("a-key", 9)
    assert answer(asked(), "declined", reason="no such version").reason == "no such version"


def test_the_drift_monitor_does_not_take_a_request_for_the_end_of_a_run() -> None:
    asking = Asking()
    asking.see(ModelEvent("fraud", "running", 10, 0, idempotency_key="run"))
    asking.see(asked())
    assert not asking.may("concept_drift", "v3", 20)
