"""Terminal tiles against counting by hand."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from features.base.durations import DAY_MS, HOUR_MS
from features.base.events import Outcome
from features.catalogue.windows import COUNTERPART_DAYS, COUNTERPART_LOOKBACK_DAYS
from features.transform.counterpart_tiles import (
    LAST_LABEL,
    RUN,
    RUN_DAYS,
    SINCE_NEGATIVE,
    SINCE_POSITIVE,
    Counterpart,
    Known,
    as_of,
    empty,
    update,
)

T0 = 17_600 * DAY_MS
IDS = (f"x{n}" for n in itertools.count())

#: (hour of the transaction, fraud, unusual for its card)
counted = st.tuples(st.integers(0, 70 * 24), st.booleans(), st.sampled_from([True, False, None]))
some = st.lists(counted, max_size=40)


def outcome(
    hour: int,
    positive: bool,
    unusual: bool | None = None,
    late: bool = False,
    counterpart: str = "t",
    at: int = 0,
    event_id: str = "",
) -> Outcome:
    time = T0 + hour * HOUR_MS + 5
    return Outcome(event_id or next(IDS), "c", counterpart, time, at or time, positive, "matured", unusual=unusual, late=late)


def tiles_of(outcomes: list[tuple[int, bool, bool | None]]) -> Counterpart:
    state = {"t": Counterpart()}
    update(state, [outcome(*o) for o in outcomes])
    return state["t"]


def by_hand(outcomes: list[tuple[int, bool, bool | None]], event_ms: int, delay_ms: int, step: int) -> Known:
    horizon = (event_ms - delay_ms) // HOUR_MS // step * step
    known = [(T0 // HOUR_MS + hour, positive, unusual) for hour, positive, unusual in outcomes]
    known = sorted((o for o in known if o[0] < horizon), key=lambda o: o[0])
    windows = [[o for o in known if o[0] >= horizon - 24 * days] for days in COUNTERPART_DAYS]
    known = [o for o in known if o[0] >= horizon - 24 * COUNTERPART_LOOKBACK_DAYS]
    rest = [-1.0, -1.0, -1.0, 0.0, 0.0]
    hours = sorted({o[0] for o in known}, reverse=True)
    if hours:
        newest = [positive for hour, positive, _ in known if hour == hours[0]]
        rest[LAST_LABEL] = sum(newest) / len(newest)
    for place, wanted in ((SINCE_POSITIVE, True), (SINCE_NEGATIVE, False)):
        times = [hour for hour, positive, _ in known if positive is wanted]
        rest[place] = (horizon - max(times)) / 24 if times else -1.0
    for hour in hours:
        labels = [positive for at, positive, _ in known if at == hour]
        if not all(labels):
            break
        rest[RUN] += len(labels)
        rest[RUN_DAYS] = (horizon - hour) / 24
    return Known(
        np.array([len(w) for w in windows]),
        np.array([sum(positive for _, positive, _ in w) for w in windows]),
        np.array([sum(positive and unusual is False for _, positive, unusual in w) for w in windows]),
        np.array(rest),
    )


@how(deadline=None, max_examples=300)
@given(some, st.integers(0, 90 * 24 * 60), st.sampled_from([0, DAY_MS // 2, 2 * DAY_MS, 7 * DAY_MS]), st.sampled_from([1, 6, 24]))
def test_everything_read_equals_a_look_at_all_outcomes(
    outcomes: list[tuple[int, bool, bool | None]], minute: int, delay_ms: int, step: int
) -> None:
    event_ms = T0 + minute * 60_000
    got = as_of(tiles_of(outcomes).tiles, event_ms, delay_ms, step)
    for name, expected, column in zip(Known._fields, by_hand(outcomes, event_ms, delay_ms, step), got, strict=True):
        assert column.tolist() == expected.tolist(), name


@how(deadline=None)
@given(some, st.integers(0, 2**32))
def test_the_order_of_outcomes_does_not_matter(outcomes: list[tuple[int, bool, bool | None]], seed: int) -> None:
    shuffled = list(outcomes)
    random.Random(seed).shuffle(shuffled)
    assert tiles_of(outcomes).tiles.tolist() == tiles_of(shuffled).tiles.tolist()


@how(deadline=None)
@given(some, some, st.integers(0, 60 * 24), st.sampled_from([1, 24]))
def test_outcomes_behind_the_horizon_change_nothing(
    before: list[tuple[int, bool, bool | None]], after: list[tuple[int, bool, bool | None]], hour: int, step: int
) -> None:
    """Time travel: an event reads the same whatever happened after it, or too shortly before."""
    event_ms, delay_ms = T0 + hour * HOUR_MS, 7 * DAY_MS
    horizon = hour - 7 * 24
    later = [(max(at, horizon), positive, unusual) for at, positive, unusual in after]
    got = as_of(tiles_of([*before, *(o for o in later if o[0] >= 0)]).tiles, event_ms, delay_ms, step)
    expected = as_of(tiles_of(before).tiles, event_ms, delay_ms, step)
    for column, want in zip(got, expected, strict=True):
        assert column.tolist() == want.tolist()


def test_an_unknown_terminal_has_counts_of_zero() -> None:
    known = as_of(empty(), T0, 7 * DAY_MS, 1)
    assert known.outcomes.tolist() == known.positives.tolist() == [0] * len(COUNTERPART_DAYS)
    assert known.rest.tolist() == [-1, -1, -1, 0, 0]


def test_a_late_fraud_adds_a_fraud_but_no_outcome() -> None:
    state: dict[str, Counterpart] = {}
    update(state, [outcome(0, False), outcome(0, False), outcome(0, True, late=True), outcome(0, False, late=True)])
    assert state["t"].tiles[:, 1:].tolist() == [[2, 1, 0]]
    update(state, [outcome(0, True, unusual=False, late=True), outcome(0, True, late=True)])
    assert state["t"].tiles[:, 1:].tolist() == [[2, 2, 1]]


def test_a_late_outcome_without_its_first_one_changes_nothing() -> None:
    state: dict[str, Counterpart] = {}
    update(state, [outcome(3, True, late=True), outcome(5, False), outcome(4, True, late=True)])
    assert state["t"].tiles.tolist() == [[T0 // HOUR_MS + 5, 1, 0, 0]]


@pytest.mark.parametrize("matured", [False, True])
def test_a_withdrawn_fraud_leaves_the_tile_of_its_hour_as_if_it_had_never_been_one(matured: bool) -> None:
    state: dict[str, Counterpart] = {}
    first = [outcome(0, False, event_id="x")] if matured else []
    update(state, [outcome(0, True), outcome(2, False), *first, outcome(0, True, False, matured, event_id="x")])
    assert state["t"].tiles[:, 1:].tolist() == [[2, 2, 1], [1, 0, 0]]
    known = state["t"].tiles
    # Whatever the withdrawal says of the payment: what was counted is taken back where it was counted.
    update(state, [outcome(2, False, True, late=True, event_id="x", at=T0 + 9 * DAY_MS)])
    assert state["t"].tiles[:, 1:].tolist() == [[2, 1, 0], [1, 0, 0]]
    assert (state["t"].as_of_ms, known[0, 2]) == (T0 + 9 * DAY_MS, 2), "what was known before stays"
    update(state, [outcome(0, False, late=True, event_id="x")])
    assert state["t"].tiles[0, 1:].tolist() == [2, 1, 0], "once"
    update(state, [outcome(0, True, late=True, event_id="x"), outcome(0, True, late=True, event_id="x")])
    assert state["t"].tiles[0, 1:].tolist() == [2, 2, 0], "a second chargeback, sent twice"


@how(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([True, False, None])), max_size=40))
def test_tiles_after_any_corrections_are_those_of_what_counts_in_the_end(turns: list[tuple[int, bool | None]]) -> None:
    """Six payments in two hours; each turn of one is an outcome, the first one not late."""
    state: dict[str, Counterpart] = {}
    final: dict[int, tuple[bool, bool | None]] = {}
    for payment, unusual in turns:
        positive = payment in final and not final[payment][0]
        update(state, [outcome(payment % 2, positive, unusual, payment in final, event_id=f"p{payment}")])
        final[payment] = positive, unusual
    settled: dict[str, Counterpart] = {}
    update(settled, [outcome(payment % 2, *counts, event_id=f"p{payment}") for payment, counts in final.items()])
    assert [c.tiles.tolist() for c in state.values()] == [c.tiles.tolist() for c in settled.values()]


def test_what_is_forgotten_with_its_tile_is_not_taken_back() -> None:
    state: dict[str, Counterpart] = {}
    update(state, [outcome(0, True, event_id="x"), outcome(101, True)], keep=100)
    update(state, [outcome(0, False, late=True, event_id="x"), outcome(0, True, late=True, event_id="x")], keep=100)
    assert (state["t"].tiles[:, 1:].tolist(), len(state["t"].positives)) == ([[1, 1, 0]], 1)


def test_tiles_that_nothing_reads_any_more_are_dropped() -> None:
    state: dict[str, Counterpart] = {}
    update(state, [outcome(0, True), outcome(100, True)], keep=100)
    assert len(state["t"].tiles) == 2
    update(state, [outcome(101, True)], keep=100)
    assert state["t"].tiles[:, 0].tolist() == [T0 // HOUR_MS + 100, T0 // HOUR_MS + 101]


def test_update_names_the_touched_terminals_and_their_newest_outcome_time() -> None:
    state: dict[str, Counterpart] = {}
    early, late = T0 + 9 * DAY_MS, T0 + 11 * DAY_MS
    assert update(state, [outcome(1, False, counterpart="a", at=late), outcome(2, False, counterpart="b")]) == {"a", "b"}
    assert update(state, [outcome(1, True, counterpart="a", at=early)]) == {"a"}
    assert state["a"].as_of_ms == late
