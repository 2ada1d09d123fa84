"""The transform against the naive reference, to the last bit, whatever the batches."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.card_state import CardState
from features.columns import Columns
from features.transform import update
from features.vector import N_STREAM, NAMES
from tests.unit.features.naive import DAY, Event, vectors

START = 1_700_000_000_000
EDGES = (0, 1, 599_999, 600_000, 3_600_000, DAY - 1, DAY, 7 * DAY, 30 * DAY - 1, 30 * DAY, 30 * DAY + 1)

coordinates = st.sampled_from([math.nan, 0.0, 48.1, -33.9, 89.9])
events = st.builds(
    Event,
    card=st.sampled_from(["a", "b", "c"]),
    # Few distinct steps, so that ties and events exactly at a window's edge are common.
    time=st.tuples(st.sampled_from(EDGES), st.integers(0, 3)).map(lambda at: START + at[0] + at[1] * 600_000),
    amount=st.sampled_from([0, 1, 99, 5_000, 99_999_999]),
    terminal=st.integers(1, 3),
    lat=coordinates,
    lon=coordinates,
    mode=st.integers(-1, 4),
    pin=st.integers(-1, 1),
)


def columns(batch: list[Event]) -> Columns:
    return Columns(
        [e.card for e in batch],
        np.array([e.time for e in batch], dtype=np.int64),
        np.array([e.amount for e in batch], dtype=np.int64),
        np.array([e.terminal for e in batch], dtype=np.int64),
        np.array([e.lat for e in batch], dtype=np.float64),
        np.array([e.lon for e in batch], dtype=np.float64),
        np.array([e.mode for e in batch], dtype=np.int8),
        np.array([e.pin for e in batch], dtype=np.int8),
    )


def in_batches(stream: list[Event], sizes: list[int]) -> np.ndarray:
    state, got, at = CardState(), [], 0
    for size in [*sizes, len(stream)]:
        got.append(update(state, columns(stream[at : at + size])))
        at += size
    return np.vstack(got)[:, :N_STREAM]


@settings(max_examples=150, deadline=None)
@given(st.lists(events, max_size=40), st.lists(st.integers(0, 7), max_size=6))
def test_equals_the_naive_reference_bit_for_bit(stream: list[Event], sizes: list[int]) -> None:
    want = np.array([[row[n] for n in NAMES[:N_STREAM]] for row in vectors(stream)], dtype=np.float32).reshape(-1, N_STREAM)
    got = in_batches(stream, sizes)
    wrong = np.argwhere(got.view(np.uint32) != want.view(np.uint32))
    assert wrong.size == 0, [(int(i), NAMES[j], got[i, j], want[i, j]) for i, j in wrong[:5]]


def test_a_hot_card_keeps_no_more_than_its_windows_reach() -> None:
    state = CardState()
    for day in range(120):
        times = START + day * DAY + np.arange(50, dtype=np.int64) * 1000
        update(state, columns([Event("hot", int(t), 100) for t in times]))
    assert state.rows < 2 * 50 * 32
    assert state.cards == 1


def test_a_late_event_changes_only_later_vectors() -> None:
    state = CardState()
    on_time = update(state, columns([Event("a", START, 100), Event("a", START + 7200_000, 300)]))
    late = update(state, columns([Event("a", START + 3600_000, 200)]))
    after = update(state, columns([Event("a", START + 7300_000, 400)]))
    count = NAMES.index("count_1d")
    assert on_time[:, count].tolist() == [1, 2]
    assert late[0, count] == 2
    assert after[0, count] == 4
    assert after[0, NAMES.index("mean_1d")] == 2.5
