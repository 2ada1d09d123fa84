from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.rollout import transitions
from serving.store.document import ServingDocument, decode, encode

names = st.integers(1, 6).map(lambda n: f"v{n}")
events = st.lists(
    st.one_of(
        st.tuples(st.just("registered"), names, st.integers(0, 100)),
        st.tuples(st.just("progress"), st.integers(0, 150)),
        st.tuples(st.just("rollback"), names, st.integers(0, 10).map(str)),
    ),
    max_size=30,
)


def step(document: ServingDocument, event: tuple[object, ...]) -> ServingDocument:
    match event:
        case ("registered", str(version), int(count)):
            return transitions.on_registered(document, version, count)
        case ("progress", int(count)):
            return transitions.on_shadow_progress(document, count)
        case ("rollback", str(version), str(key)):
            return transitions.rollback(document, version, key)
    raise AssertionError(event)


@given(events)
def test_whatever_happens_the_document_stays_sound(history: list[tuple[object, ...]]) -> None:
    document = ServingDocument()
    for event in history:
        after = step(document, event)
        if after is document:
            assert step(after, event) is after
        else:
            assert after.generation == document.generation + 1
            assert (after.champion, after.shadow) != (document.champion, document.shadow)
        # Once something is served, something is always served; and nothing is compared with itself.
        assert after.champion is not None or document.champion is None
        assert after.shadow is None or (
            after.champion is not None and after.shadow != after.champion and after.shadow_transactions > 0
        )
        assert decode(encode(after)) == after
        document = after


@given(events)
def test_a_message_delivered_twice_does_no_harm(history: list[tuple[object, ...]]) -> None:
    once = twice = ServingDocument()
    for event in history:
        if event[0] == "registered" and event[1] in (once.champion, once.shadow):
            assert step(once, event) is once
        once = step(once, event)
        twice = step(step(twice, event), event)
        assert once == twice


def test_the_first_version_is_champion_at_once() -> None:
    document = transitions.on_registered(ServingDocument(), "v1", 1000)
    assert (document.generation, document.champion, document.shadow) == (1, "v1", None)


def test_a_later_version_is_promoted_after_its_shadow_transactions() -> None:
    document = transitions.on_registered(ServingDocument(), "v1", 1000)
    shadowed = transitions.on_registered(document, "v2", 1000)
    assert (shadowed.champion, shadowed.shadow, shadowed.shadow_transactions) == ("v1", "v2", 1000)
    assert transitions.on_shadow_progress(shadowed, 999) is shadowed
    promoted = transitions.on_shadow_progress(shadowed, 1000)
    assert (promoted.generation, promoted.champion, promoted.shadow) == (3, "v2", None)
    assert transitions.on_shadow_progress(promoted, 5000) is promoted


def test_a_newer_version_takes_the_place_of_the_one_in_shadow() -> None:
    document = ServingDocument(generation=4, champion="v1", shadow="v2", shadow_transactions=10)
    assert transitions.on_registered(document, "v3", 20).shadow == "v3"


def test_rollback_ends_the_shadow() -> None:
    document = ServingDocument(generation=4, champion="v2", shadow="v3", shadow_transactions=10)
    back = transitions.rollback(document, "v1", "a-key")
    assert (back.generation, back.champion, back.shadow) == (5, "v1", None)


def test_a_rollback_is_carried_out_once_whatever_came_after_it() -> None:
    document = ServingDocument(generation=4, champion="v2")
    back = transitions.rollback(document, "v1", "a-key")
    assert transitions.rollback(back, "v1", "a-key") is back
    shadowed = transitions.on_registered(back, "v3", 10)
    assert transitions.rollback(shadowed, "v1", "a-key") is shadowed
    promoted = transitions.on_shadow_progress(shadowed, 10)
    assert transitions.rollback(promoted, "v1", "a-key") is promoted
    assert transitions.rollback(promoted, "v1", "another").champion == "v1"


def test_a_negative_shadow_is_refused() -> None:
    with pytest.raises(ValueError, match="shadow_transactions is -1"):
        transitions.on_registered(ServingDocument(), "v1", -1)
