"""Terminal tiles against counting by hand."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from features.events import Outcome
from features.settings import DAY_MS
from features.terminal_tiles import DAYS, TILE_WIDTH, WINDOWS, Terminal, add, empty, read, update

DAY_0 = 17_600


def outcome(day: int, is_fraud: bool, late: bool = False, terminal: str = "t", at: int = 0) -> Outcome:
    time = (DAY_0 + day) * DAY_MS + 5
    return Outcome("x", "c", terminal, time, at or time, is_fraud, "matured", late=late)


@how(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=60),
    st.integers(0, 60),
    st.sampled_from([0.0, 0.5, 2.0, 7.0]),
)
def test_windows_equal_a_count_over_all_outcomes(outcomes: list[tuple[int, bool]], event_day: int, delay: float) -> None:
    tiles = empty()
    for day, is_fraud in outcomes:
        add(tiles, (DAY_0 + day) * DAY_MS, is_fraud)
    last = event_day - int(np.ceil(delay)) - 1
    expected = []
    for window in WINDOWS:
        frauds = [is_fraud for day, is_fraud in outcomes if last - window < day <= last]
        expected.append([len(frauds), sum(frauds)])
    assert read(tiles, DAY_0 + event_day, delay).tolist() == expected


@how(deadline=None)
@given(st.lists(st.tuples(st.integers(0, DAYS - 1), st.booleans()), max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_outcomes_does_not_matter(outcomes: list[tuple[int, bool]], random: Random) -> None:
    shuffled = list(outcomes)
    random.shuffle(shuffled)
    one, other = empty(), empty()
    for day, is_fraud in outcomes:
        add(one, (DAY_0 + day) * DAY_MS, is_fraud)
    for day, is_fraud in shuffled:
        add(other, (DAY_0 + day) * DAY_MS, is_fraud)
    assert one.tolist() == other.tolist()


def test_an_unknown_terminal_has_counts_of_zero() -> None:
    assert read(empty(), DAY_0, 7.0).tolist() == [[0, 0]] * len(WINDOWS)


def test_a_late_fraud_adds_a_fraud_but_no_outcome() -> None:
    state: dict[str, Terminal] = {}
    update(state, [outcome(0, False), outcome(0, False), outcome(0, True, late=True)])
    assert read(state["t"].tiles, DAY_0 + 8, 7.0)[0].tolist() == [2, 1]


def test_late_outcomes_without_their_first_one_change_nothing() -> None:
    state: dict[str, Terminal] = {}
    update(state, [outcome(3, True, late=True), outcome(5, False), outcome(4, True, late=True), outcome(5, False, late=True)])
    assert state["t"].tiles[0] == DAY_0 + 5
    assert state["t"].tiles[1:].sum() == 1


def test_an_outcome_older_than_the_tiles_is_left_out() -> None:
    tiles = empty()
    add(tiles, (DAY_0 + DAYS) * DAY_MS, True)
    before = tiles.copy()
    add(tiles, DAY_0 * DAY_MS, True)
    assert tiles.tolist() == before.tolist()


def test_a_long_pause_clears_what_is_too_old() -> None:
    tiles = empty()
    add(tiles, DAY_0 * DAY_MS, True)
    add(tiles, (DAY_0 + 10 * DAYS) * DAY_MS, False)
    assert tiles.tolist() == [DAY_0 + 10 * DAYS, 1, 0] + [0] * (TILE_WIDTH - 3)


def test_update_names_the_touched_terminals_and_their_newest_outcome_time() -> None:
    state: dict[str, Terminal] = {}
    early, late = (DAY_0 + 9) * DAY_MS, (DAY_0 + 11) * DAY_MS
    assert update(state, [outcome(1, False, terminal="a", at=late), outcome(2, False, terminal="b")]) == {"a", "b"}
    assert update(state, [outcome(1, True, terminal="a", at=early)]) == {"a"}
    assert state["a"].as_of_ms == late
