"""The transform against the naive reference, to the last bit, whatever the batches.

Distances and speeds alone are compared to 1e-6: the reference takes them by another formula.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.base.active import DOMAIN, ROLES
from features.catalogue.vector import INDEX, N_STREAM, NAMES
from features.catalogue.windows import MAX_ROWS
from features.history.row_layout import COLUMNS_A_SUBJECT, ROW_BYTES
from features.history.state import SubjectState
from features.transform.columns import MOST_MEASURE, Columns
from features.transform.update import update
from tests.unit.features.naive import DAY, HOUR, Event, vectors

#: Two hours before Europe's clocks go forward in 2023: days are UTC here, and nothing may change with a time zone.
START = 1_679_788_800_000
EDGES = (
    0,
    1,
    599_999,
    600_000,
    HOUR,
    6 * HOUR - 1,
    DAY - 1,
    DAY,
    7 * DAY,
    30 * DAY - 1,
    30 * DAY,
    90 * DAY - 1,
    90 * DAY,
    91 * DAY,
    199 * DAY,
)


@dataclass(frozen=True)
class Drawn:
    """An event before its time is known: ``gap`` after the one before, arriving ``late`` by so much; ``twice``: and once more."""

    twice: bool
    subject: str
    gap: int
    late: int
    amount: int
    counterpart: int
    lat: float
    lon: float
    mode: int
    pin: int
    kind: int


FAR = [INDEX["distance_from_last_transaction"], INDEX["speed_kmh"]]
coordinates = st.sampled_from([math.nan, 0.0, 48.1, -33.9, 89.9])
#: Time goes on by a gap, to the next edge of some window; an event may come late, up to being no part of its card's history.
events = st.builds(
    Drawn,
    twice=st.sampled_from([False, False, False, True]),
    subject=st.sampled_from(["a", "a", "a", "b"]),
    gap=st.one_of(st.sampled_from(EDGES), st.integers(0, 2 * DAY)),
    late=st.sampled_from([0, 0, 0, 0, 0, 0, 1, HOUR, DAY, 3 * DAY, 40 * DAY, 91 * DAY - 1, 91 * DAY, 150 * DAY]),
    amount=st.one_of(st.sampled_from([0, 1, 99, 5_000, 1 << 20, 99_999_999, 10**11]), st.integers(0, 40_000)),
    counterpart=st.integers(1, 3),
    lat=coordinates,
    lon=coordinates,
    mode=st.integers(-1, 4),
    pin=st.integers(-1, 1),
    kind=st.sampled_from([0, 0, 0, 0, 0, 1, 2, 3, 3, -1]),
)


def stream(drawn: list[Drawn]) -> list[Event]:
    """Events in order of arrival."""
    clock, events = START, []
    for d in drawn:
        clock += d.gap
        event = Event(d.subject, clock - d.late, d.amount, d.counterpart, d.lat, d.lon, d.mode, d.pin, d.kind)
        events += [event, event] if d.twice else [event]
    return events


def columns(batch: Sequence[Event]) -> Columns:
    return Columns(
        [e.subject for e in batch],
        np.array([e.time for e in batch], dtype=np.int64),
        np.array([e.amount for e in batch], dtype=np.int64),
        np.array([e.counterpart for e in batch], dtype=np.int32),
        np.zeros(len(batch), dtype=np.int64),
        np.array([e.lat for e in batch], dtype=np.float32),
        np.array([e.lon for e in batch], dtype=np.float32),
        np.array([e.mode for e in batch], dtype=np.int8),
        np.array([e.pin for e in batch], dtype=np.int8),
        np.array([e.kind for e in batch], dtype=np.int8),
    )


def in_batches(stream: Sequence[Event], sizes: Sequence[int], state: SubjectState | None = None) -> NDArray[np.float32]:
    state, at = state or SubjectState(), 0
    got: list[NDArray[np.float32]] = []
    for size in [*sizes, len(stream)]:
        got.append(update(state, columns(stream[at : at + size]), DOMAIN.measure_limit))
        at += size
    return np.vstack(got)[:, :N_STREAM]


def assert_same(got: NDArray[np.float32], want: NDArray[np.float32]) -> None:
    wrong = np.argwhere(got.view(np.uint32) != want.view(np.uint32))
    assert wrong.size == 0, [(int(i), NAMES[j], got[i, j], want[i, j]) for i, j in wrong[:5]]


def assert_as_told(got: NDArray[np.float32], expected: list[dict[str, float]]) -> None:
    want = np.array([[row[n] for n in NAMES[:N_STREAM]] for row in expected], dtype=np.float32).reshape(-1, N_STREAM)
    np.testing.assert_allclose(got[:, FAR], want[:, FAR], rtol=1e-6, atol=0)
    want[:, FAR] = got[:, FAR]
    assert_same(got, want)


@settings(max_examples=300, deadline=None)
@given(st.lists(events, max_size=30).map(stream), st.lists(st.integers(0, 7), max_size=6))
def test_equals_the_naive_reference_bit_for_bit(events: list[Event], sizes: list[int]) -> None:
    assert_as_told(in_batches(events, sizes), vectors(events))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(events, max_size=40).map(stream),
    st.lists(st.integers(0, 7), max_size=6),
    st.integers(0, 2**32),
)
def test_neither_batches_nor_a_restart_show_however_late_events_come(events: list[Event], sizes: list[int], seed: int) -> None:
    """Here events come in any order, months late too: what is kept of a card must not depend on when room was made."""
    random.Random(seed).shuffle(events)
    want = in_batches(events, [])
    assert_same(in_batches(events, sizes), want)
    half = len(events) // 2
    before = SubjectState()
    first = in_batches(events[:half], sizes, before)
    after = SubjectState.from_arrays(before.arrays())
    assert_same(np.vstack([first, in_batches(events[half:], [], after)]), want)


@settings(max_examples=50, deadline=None)
@given(st.lists(events, min_size=1, max_size=30).map(stream), st.integers(1, 90 * DAY))
def test_what_comes_later_changes_nothing_said_before(events: list[Event], jump: int) -> None:
    """Time travel: a vector is a function of what had arrived."""
    future = [Event(e.subject, e.time + jump, e.amount + 1, e.counterpart, kind=e.kind) for e in events]
    assert_same(in_batches([*events, *future], [])[: len(events)], in_batches(events, []))


@pytest.mark.parametrize("widest", [40_000, 10**11])
def test_a_hot_card_equals_the_naive_reference_bit_for_bit(widest: int) -> None:
    """More than 2,048 events in the windows, one in ten late by up to a month: of these, some find no place in the history."""
    draw = random.Random(7)
    hot, clock = [], START
    for _ in range(2_600):
        clock += draw.randrange(2 * DAY // 100)
        late = draw.randrange(30 * DAY) if draw.random() < 0.1 else 0
        hot.append(
            Event("hot", clock - late, draw.randrange(widest), draw.randrange(500), 48.1, draw.choice([math.nan, 11.0, 11.5]))
        )
    expected = vectors(hot, range(2_300, 2_600))
    got = in_batches(hot, [250] * 9 + [1, 2, 3])[2_300:]
    assert got[:, INDEX["count_90d"]].max() == MAX_ROWS
    assert (got[:, INDEX["count_90d"]] == 1).any(), "one came too late"
    assert_as_told(got, expected)


def test_a_hot_card_is_bounded_and_sees_its_newest_rows() -> None:
    """100,000 transactions in a month: the windows hold the newest 2,048, in the same way in any batches."""
    times = START + np.arange(100_000, dtype=np.int64) * (25 * DAY // 100_000)
    hot = [Event("hot", int(t), 100 + i % 7, 1 + i % 5000) for i, t in enumerate(times)]
    state = SubjectState()
    got = in_batches(hot, [1000] * 99, state)
    assert got[:, INDEX["count_30d"]].max() == MAX_ROWS
    assert state.rows <= 2 * MAX_ROWS
    assert state.nbytes < 4 * 2 * MAX_ROWS * ROW_BYTES + 1024 * 8 * COLUMNS_A_SUBJECT
    # 2,048 rows, 12.3 hours: the windows above hold the same.
    last = got[-1]
    assert last[INDEX["sum_1d"]] == last[INDEX["sum_90d"]] == np.float32(sum(e.amount for e in hot[-MAX_ROWS:]) / 100)
    assert last[INDEX["terminals_90d"]] == MAX_ROWS
    assert_same(got[-3000:], in_batches(hot[-8000:], [4000])[-3000:])


def test_a_late_event_changes_only_later_vectors() -> None:
    state = SubjectState()
    on_time = update(state, columns([Event("a", START, 100), Event("a", START + 2 * HOUR, 300)]), DOMAIN.measure_limit)
    late = update(state, columns([Event("a", START + HOUR, 200)]), DOMAIN.measure_limit)
    after = update(state, columns([Event("a", START + 2 * HOUR + 1, 400)]), DOMAIN.measure_limit)
    count = INDEX["count_1d"]
    assert on_time[:, count].tolist() == [1, 2]
    assert late[0, count] == 2
    assert after[0, count] == 4
    assert after[0, INDEX["mean_1d"]] == 2.5


def test_states_of_different_cards_merge() -> None:
    ours = [Event(subject, START + i * HOUR, 100 + i) for i, subject in enumerate("abcabcabc")]
    parts = [SubjectState(), SubjectState()]
    in_batches([e for e in ours if e.subject == "a"], [], parts[0])
    in_batches([e for e in ours if e.subject != "a"], [], parts[1])
    whole = SubjectState()
    in_batches(ours, [], whole)
    merged = SubjectState.from_arrays(*(part.arrays() for part in parts))
    for name, array in whole.arrays().items():
        np.testing.assert_array_equal(array, merged.arrays()[name])
    more = [Event(subject, START + DAY, 5) for subject in "cab"]
    assert_same(in_batches(more, [], merged), in_batches(more, [], whole))


def test_a_measure_that_is_not_known_is_presumed_to_be_what_is_usual_and_leaves_nothing() -> None:
    bought = [Event("a", START + i * HOUR, 1_700) for i in range(12)]
    state = SubjectState()
    in_batches(bought, [], state)
    before = state.arrays()
    nowhere = in_batches([Event("a", START + 12 * HOUR, 0, kind=-1), Event("new", START, 0, kind=-1)], [], state)
    usual = (12 * 1_700 + 2 * 5_000) / 14
    assert nowhere[0, INDEX["amount"]] == np.float32(round(usual) / 100)
    assert nowhere[1, INDEX["amount"]] == 50.0, "without a history, what the domain presumes"
    np.testing.assert_allclose(nowhere[:, INDEX["ratio_to_robust_mean"]], 1.0, atol=1e-3)
    assert (nowhere[:, INDEX["count_90d"]] == [13, 1]).all(), "this one included"
    for name, array in before.items():
        if name in ("subjects", "subject_ends", "lengths"):
            continue
        np.testing.assert_array_equal(state.arrays()[name], array, err_msg=name)
    assert_same(
        in_batches([Event("a", START + 13 * HOUR, 5)], [], state),
        in_batches([*bought, Event("a", START + 13 * HOUR, 5)], [])[-1:],
    )


def test_other_kinds_lie_beside_a_card_and_cost_only_where_there_are_any() -> None:
    bought = [Event(f"c{i % 50}", START + i * HOUR, 100 + i) for i in range(500)]
    plain, mixed = SubjectState(), SubjectState()
    in_batches(bought, [], plain)
    in_batches(bought, [], mixed)
    in_batches([Event("c7", START + 500 * HOUR, 5, kind=3), Event("c9", START + 501 * HOUR, 5, kind=1)], [], mixed)
    assert (plain.subjects, plain.numbers) == (50, 50)
    assert (mixed.subjects, mixed.numbers) == (50, 52)
    assert mixed.rows == plain.rows + 2
    again = SubjectState.from_arrays(mixed.arrays())
    assert (again.subjects, again.numbers) == (50, 52)
    later = [Event("c7", START + 500 * HOUR + 60_000, 700), Event("c9", START + 502 * HOUR, 700)]
    got = in_batches(later, [], again)
    assert_same(got, in_batches(later, [], mixed))
    assert got[:, INDEX["declined_1h"]].tolist() == [1, 0]
    assert got[:, INDEX["refunds_1d"]].tolist() == [0, 1]


def test_a_hot_card_of_other_kinds_is_bounded_and_counts_its_newest_rows() -> None:
    tried = [Event("hot", START + i * 1_000, 99, kind=1 + i % 3) for i in range(6_000)]
    state = SubjectState()
    in_batches(tried, [500] * 11, state)
    assert state.rows <= 2 * MAX_ROWS
    (bought,) = in_batches([Event("hot", START + 6_000_000, 100)], [], state)
    assert bought[INDEX["declined_1d"]] + bought[INDEX["refunds_1d"]] == MAX_ROWS
    assert bought[INDEX["count_90d"]] == 1


def test_no_batch_no_rows() -> None:
    assert in_batches([], []).shape == (0, N_STREAM)


def test_columns_that_cannot_be_taken_are_named_before_anything_is_read() -> None:
    some = columns([Event("c", START + i, 100, 1, 0.0, 0.0, 0, 0) for i in range(4)])
    state = SubjectState()
    with pytest.raises(ValueError, match="measure has 1 values for 4 events"):
        update(state, dataclasses.replace(some, measure=some.measure[:1]), DOMAIN.measure_limit)
    for wrong in (-1, MOST_MEASURE):
        amounts = some.measure.copy()
        amounts[2] = wrong
        with pytest.raises(ValueError, match=f"measure goes from .*{wrong}.*; give 0 to"):
            update(state, dataclasses.replace(some, measure=amounts), DOMAIN.measure_limit)
    for wrong in (-2, len(ROLES.kinds)):
        kinds = some.kind.copy()
        kinds[1] = wrong
        with pytest.raises(ValueError, match=f"kind goes from .*{wrong}.*; give -1 to 3"):
            update(state, dataclasses.replace(some, kind=kinds), DOMAIN.measure_limit)
    assert state.subjects == 0
