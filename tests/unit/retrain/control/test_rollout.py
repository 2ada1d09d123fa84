"""The pure half of the rollout: what follows from a document, a status and what was announced."""

from __future__ import annotations

import pytest

from features.base.events import ModelEvent, ModelState
from retrain.control.announced import Announced
from retrain.control.rollout import Announcement, ServerStatus, announcements, next_document, unsettled
from serving.store.document import ServingDocument

SHADOWING = ServingDocument(generation=2, champion="v1", shadow="v2", shadow_transactions=100)


def event(state: ModelState, version: str | None = None, run: str | None = None, at: int = 1) -> ModelEvent:
    return ModelEvent(model="fraud", state=state, event_time_ms=at, at_ms=0, idempotency_key="k", run_id=run, version=version)


def log(*events: ModelEvent) -> Announced:
    announced = Announced("fraud")
    for each in events:
        announced.take(each)
    return announced


V1 = event("promoted", "v1")
V2_SHADOW = event("shadow", "v2")


def test_a_shadow_that_scored_enough_is_promoted() -> None:
    status = ServerStatus(generation=2, champion="v1", shadow="v2", shadow_predictions=100)
    following = next_document(SHADOWING, status, log(V1, V2_SHADOW))
    assert (following.generation, following.champion, following.shadow) == (3, "v2", None)


@pytest.mark.parametrize(
    "status",
    [
        ServerStatus(generation=2, champion="v1", shadow="v2", shadow_predictions=99),
        ServerStatus(generation=1, champion="v1", shadow="v2", shadow_predictions=500),
        ServerStatus(generation=2, champion="v1", shadow=None, shadow_predictions=500),
    ],
    ids=["too few", "another generation", "not loaded"],
)
def test_it_is_not_promoted_yet(status: ServerStatus) -> None:
    assert next_document(SHADOWING, status, log(V1, V2_SHADOW)) is SHADOWING


def test_a_promotion_waits_for_the_shadow_to_be_announced() -> None:
    status = ServerStatus(generation=2, champion="v1", shadow="v2", shadow_predictions=100)
    assert next_document(SHADOWING, status, log(V1)) is SHADOWING


def test_what_the_server_serves_is_announced_once() -> None:
    status = ServerStatus(generation=2, champion="v1", shadow="v2")
    assert announcements(status, log()) == [Announcement("promoted", "v1", None), Announcement("shadow", "v2", "v1")]
    assert announcements(status, log(V1, V2_SHADOW)) == []


def test_a_champion_of_before_is_a_roll_back() -> None:
    status = ServerStatus(generation=4, champion="v1")
    assert announcements(status, log(V1, event("promoted", "v2"))) == [Announcement("rolled_back", "v1", "v2")]


def test_a_version_can_be_promoted_again_after_a_roll_back() -> None:
    announced = log(V1, event("promoted", "v2"), event("rolled_back", "v1"))
    assert not announced.published(event("promoted", "v2"))
    assert announced.champion == "v1"


def test_a_step_of_a_run_is_said_once_and_an_answer_once_for_each_asking() -> None:
    announced = log(event("running", run="r-1"), event("declined", at=5))
    assert announced.published(event("running", run="r-1"))
    assert not announced.published(event("running", run="r-2"))
    assert announced.published(event("declined", at=5))
    assert not announced.published(event("declined", at=6))


def test_other_models_are_passed_over() -> None:
    announced = Announced("other")
    announced.take(V1)
    assert announced.champion is None


def test_when_the_rollout_is_at_rest() -> None:
    status = ServerStatus(generation=2, champion="v1", shadow="v2", shadow_predictions=50)
    assert unsettled(SHADOWING, status, log(V1, V2_SHADOW)) == []
    assert unsettled(ServingDocument(), None, log()) == []


def test_why_it_is_not() -> None:
    assert "does not answer" in unsettled(SHADOWING, None, log(V1))[0]
    old = ServerStatus(generation=1, champion="v1", error="v2 is broken")
    assert "v2 is broken" in unsettled(SHADOWING, old, log(V1))[0]
    enough = ServerStatus(generation=2, champion="v1", shadow="v2", shadow_predictions=100)
    assert "about to be promoted" in unsettled(SHADOWING, enough, log(V1, V2_SHADOW))[0]
    assert "not announced" in unsettled(SHADOWING, enough, log(V1))[0]
