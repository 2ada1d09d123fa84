"""A partition that goes on from a copy and the log behind it says what one says that never stopped."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.base.durations import DAY_MS
from features.transform.columns import from_events
from streams.scoring.admission.admission import NEW, Admission
from streams.scoring.partition_state import PartitionState
from streams.simulate.card_fraud.options import Options
from tests.served import transactions

EVENTS = from_events(transactions(Options(cards=60, terminals=40, seed=5), 30))
_, SUBJECTS = np.unique(np.array(EVENTS.subject), return_inverse=True)
#: Every tenth comes again, in the same batch or later, every other time with another body; the first one's hash is 0.
LOG = np.sort(np.concatenate([np.arange(1000), np.arange(0, 1000, 10), np.arange(0, 900, 30) + 100]), kind="stable")
BODIES = np.arange(len(LOG)) % 2


def empty() -> PartitionState:
    return PartitionState(Admission(2 * DAY_MS, DAY_MS))


def take(state: PartitionState, begin: int, end: int) -> tuple[list[Any], NDArray[np.float32]]:
    """The scorer's way: what is new goes on to the cards. Verdicts and lateness, and vectors."""
    rows = LOG[begin:end]
    admitted = state.admission.admit(rows, BODIES[begin:end], SUBJECTS[rows], EVENTS.event_time_ms[rows])
    vectors, _ = state.update(EVENTS.take(rows[admitted.verdict == NEW]), 220)
    return [admitted.verdict.tolist(), admitted.late.tolist()], vectors.copy()


def same(turns: list[tuple[list[Any], NDArray[np.float32]]], expected: list[tuple[list[Any], NDArray[np.float32]]]) -> None:
    assert [verdicts for verdicts, _ in turns] == [verdicts for verdicts, _ in expected]
    for (_, vectors), (_, other) in zip(turns, expected, strict=True):
        np.testing.assert_array_equal(vectors, other)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 700), st.lists(st.integers(0, 80), max_size=20), st.integers(1, 40))
def test_a_copy_taken_on_the_way_and_the_log_behind_it(first: int, sizes: list[int], subjects_a_step: int) -> None:
    running = empty()
    take(running, 0, first)
    copy = running.copy(subjects_a_step)
    ends = [first, *(first + np.cumsum(sizes, dtype=np.int64)).tolist()]
    turns = [(begin, min(end, len(LOG))) for begin, end in pairwise(ends)]
    taken = []
    for begin, end in turns:
        taken.append(take(running, begin, end))
        if not copy.done:
            copy.step()
    while not copy.done:
        copy.step()
    again = empty()
    again.load(copy.arrays())
    same([take(again, begin, end) for begin, end in turns], taken)
    rest = [(ends[-1], len(LOG))] if ends[-1] < len(LOG) else []
    same([take(again, *turn) for turn in rest], [take(running, *turn) for turn in rest])


def test_a_copy_is_done_when_cards_and_ids_are() -> None:
    state = empty()
    take(state, 0, 300)
    copy, done = state.copy(100), []
    assert state.subjects.subjects <= 100
    for _ in range(2):  # the ids' table has 1,024 places, and a step takes 800
        copy.step()
        done.append(copy.done)
    assert done == [False, True]
    assert copy.arrays().keys() >= {"subjects", "admitted", "clock", "cold"}


def finished(state: PartitionState) -> dict[str, NDArray[Any]]:
    copy = state.copy(100)
    while not copy.done:
        copy.step()
    return copy.arrays()


def test_a_load_leaves_a_copy_under_way_as_it_was() -> None:
    state = empty()
    take(state, 0, 300)
    expected, copied = empty(), empty()
    expected.load(finished(state))
    copy = state.copy(10)
    copy.step()
    state.load(finished(empty()))
    take(state, 300, 600)
    while not copy.done:
        copy.step()
    copied.load(copy.arrays())
    same([take(copied, 300, 900)], [take(expected, 300, 900)])
