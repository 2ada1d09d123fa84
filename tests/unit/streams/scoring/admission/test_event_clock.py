"""The clock against its definition: the least of the newest times of the cards that are farthest ahead."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray

from streams.scoring.admission.event_clock import NEVER, SUBJECTS, advance, new_clock, shown


@njit
def shown_after(subjects: NDArray[np.int64], times: NDArray[np.int64], clock: NDArray[np.int64]) -> NDArray[np.int64]:
    out = np.empty(len(subjects), dtype=np.int64)
    for i in range(len(subjects)):
        advance(clock, subjects[i], times[i])
        out[i] = shown(clock)
    return out


def run(events: list[tuple[int, int]]) -> list[int]:
    subjects, times = (np.array(column, dtype=np.int64) for column in zip(*events, strict=True))
    return list(shown_after(subjects, times, new_clock()).tolist())


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 50)), min_size=1, max_size=80))
def test_it_shows_what_so_many_cards_have_reached(events: list[tuple[int, int]]) -> None:
    newest: dict[int, int] = {}
    for (subject, time), clock in zip(events, run(events), strict=True):
        newest[subject] = max(time, newest.get(subject, time))
        assert clock == min(sorted(newest.values(), reverse=True)[:SUBJECTS])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 50)), min_size=1, max_size=80))
def test_it_never_goes_back_once_enough_cards_were_seen(events: list[tuple[int, int]]) -> None:
    start = [(100 + i, 10) for i in range(SUBJECTS)]
    clocks = run(start + events)[SUBJECTS - 1 :]
    assert clocks == sorted(clocks)


def test_one_card_from_the_next_century_moves_nothing() -> None:
    times = run([(i, 1000 + i) for i in range(20)] + [(99, 10**12)] + [(99, 10**12 + 1)] * 10)
    assert times[-1] <= 1020


def test_before_any_event_it_is_never() -> None:
    assert new_clock()[-1, 1] == NEVER
