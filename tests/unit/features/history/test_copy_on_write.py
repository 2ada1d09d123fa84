"""A copy in steps, whatever happens to the state in between, is the state of its beginning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.history.copy_on_write import StateCopy
from features.history.state import SubjectState
from features.transform.columns import from_events
from features.transform.update import update
from streams.simulate.card_fraud.options import Options
from tests.served import transactions

EVENTS = from_events(transactions(Options(cards=40, terminals=40, seed=3), 30))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 400), st.lists(st.tuples(st.integers(1, 15), st.integers(0, 60)), max_size=30))
def test_a_copy_is_as_of_its_beginning(first: int, turns: list[tuple[int, int]]) -> None:
    state = SubjectState()
    update(state, EVENTS.take(np.arange(first)), 220)
    expected = state.arrays()
    copy, at = StateCopy(state), first
    for subjects, events in turns:
        if not copy.done:
            copy.step(subjects)
        batch = EVENTS.take(np.arange(at, at + events))
        at += events
        copy.before(batch.subject)
        update(state, batch, 220)
    while not copy.done:
        copy.step(7)
    arrays = SubjectState.from_arrays(copy.arrays()).arrays()
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)


def test_a_state_that_was_restored_is_copied_with_the_cards_that_came_since() -> None:
    state = SubjectState()
    update(state, EVENTS.take(np.arange(50)), 220)
    again = SubjectState.from_arrays(state.arrays())
    known = again.ids()
    update(again, EVENTS.take(np.arange(50, 400)), 220)
    assert again.subjects > len(known)
    assert again.ids()[: len(known)] == known
    assert again.known(again.ids()).tolist() == list(range(again.numbers))
    assert again.ids(3, 9) == again.ids()[3:9]
    copy = StateCopy(again)
    while not copy.done:
        copy.step(7)
    arrays, expected = SubjectState.from_arrays(copy.arrays()).arrays(), again.arrays()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)


def test_a_copy_that_is_not_complete_cannot_be_taken() -> None:
    state = SubjectState()
    update(state, EVENTS.take(np.arange(50)), 220)
    with pytest.raises(RuntimeError, match="step"):
        StateCopy(state).arrays()
