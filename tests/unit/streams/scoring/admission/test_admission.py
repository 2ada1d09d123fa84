"""Duplicates, conflicts and lateness, against a plain dictionary that looks at one event after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.scoring.admission import admission as admission_module
from streams.scoring.admission.admission import CONFLICT, DUPLICATE, NEW, Admission
from streams.scoring.admission.event_clock import NEVER, SUBJECTS
from streams.scoring.admission.table import empty, move

HORIZON, LATENESS = 40, 15
Event = tuple[int, int, int, int]
"""id, body, card, time"""
EVENTS = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 1), st.integers(0, 12), st.integers(0, 120)), min_size=1, max_size=150
)


def expected(events: list[Event]) -> list[tuple[int, bool]]:
    newest: dict[int, int] = {}
    seen: dict[int, tuple[int, int]] = {}

    def clock() -> int:
        return min(sorted(newest.values(), reverse=True)[:SUBJECTS], default=NEVER)

    out = []
    for key, body, subject, time in events:
        before = clock()
        if key in seen and seen[key][1] > before - HORIZON:
            out.append((DUPLICATE if seen[key][0] == body else CONFLICT, False))
            continue
        newest[subject] = max(time, newest.get(subject, time))
        seen[key] = (body, max(clock(), before))
        out.append((NEW, time < before - LATENESS))
    return out


def judged(admission: Admission, events: list[Event]) -> list[tuple[int, bool]]:
    ids, bodies, subjects, times = (np.array(column, dtype=np.int64) for column in zip(*events, strict=True))
    admitted = admission.admit(ids, bodies, subjects, times)
    return list(zip(admitted.verdict.tolist(), admitted.late.tolist(), strict=True))


@settings(deadline=None)
@given(EVENTS, st.data())
def test_it_says_what_a_dictionary_says_whatever_the_batches_and_restarts(events: list[Event], data: st.DataObject) -> None:
    says_what_a_dictionary_says(events, data)


@settings(deadline=None)
@given(EVENTS, st.data(), st.sampled_from([2, 64]))
def test_it_says_so_while_entries_move_to_another_table(events: list[Event], data: st.DataObject, sample: int) -> None:
    """``sample``: with a bad guess of what is needed, the other table is full before all has moved there."""
    with small_tables(sample):
        says_what_a_dictionary_says(events, data)


@contextmanager
def small_tables(sample: int = 64) -> Iterator[None]:
    """A table begins with 16 places, and a batch moves no more than eight for each of its transactions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admission_module, "_FIRST_SIZE", 16)
        patch.setattr(admission_module, "_PLACES", 0)
        patch.setattr(admission_module, "_SAMPLE", sample)
        yield


def says_what_a_dictionary_says(events: list[Event], data: st.DataObject) -> None:
    admission, verdicts = Admission(HORIZON, LATENESS), []
    rest = events
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        verdicts += judged(admission, rest[:size])
        rest = rest[size:]
        if data.draw(st.booleans()):
            arrays = admission.arrays()
            admission = Admission(HORIZON, LATENESS)
            admission.load(arrays)
    assert verdicts == expected(events)


def test_it_grows_with_what_may_be_repeated_and_not_with_what_has_passed() -> None:
    admission = Admission(1000, 1000)
    sizes = []
    for batch in range(50):
        events = [(batch * 1000 + i + 1, 0, i % 100, batch * 500) for i in range(1000)]
        assert judged(admission, events) == [(NEW, False)] * 1000
        sizes.append(admission.nbytes)
    table, none = 24 * 16_384, 24
    # Two tables while entries move, which takes this one two batches of eight, and one for the rest.
    assert max(sizes) == max(sizes[:20]) == max(sizes[-20:]) <= 2 * table
    assert sorted(sizes[-20:])[-4] <= table + none


def test_a_table_that_is_too_full_is_left_a_few_places_at_a_time() -> None:
    """However many entries there are, a batch moves no more than its share."""
    with pytest.MonkeyPatch.context() as patch:
        moved: list[int] = []

        def counted(old: NDArray[np.int64], table: NDArray[np.int64], oldest: int) -> int:
            moved.append(len(old))
            filled: int = move(old, table, oldest)
            return filled

        patch.setattr(admission_module, "move", counted)
        admission, ids = Admission(10**9, 1000), np.random.default_rng(1).integers(1, 2**62, 300_000)
        for at in range(0, len(ids), 100):
            part = ids[at : at + 100]
            times = np.full(len(part), 5)
            assert not admission.admit(part, part, part, times).verdict.any()
    assert max(moved) == 1024 + 8 * 100
    again = admission.admit(ids, ids, ids, np.full(len(ids), 5))
    assert (again.verdict == DUPLICATE).all()


def test_a_clock_that_stands_moves_all_and_one_that_ran_on_only_what_is_needed() -> None:
    with small_tables():
        admission = Admission(HORIZON, LATENESS)
        judged(admission, [(i, 0, i, 0) for i in range(1, 200)])
        rows = admission.arrays()["admitted"]
        assert sorted(rows[:, 0].tolist()) == list(range(1, 200))
        judged(admission, [(1000 + i, 0, i, 100) for i in range(1, 200)])
        rows = admission.arrays()["admitted"]
    late = [i for i, at in rows[:, [0, 2]].tolist() if at <= 100 - HORIZON]
    assert late == []
    assert {1000 + i for i in range(SUBJECTS, 200)} <= set(rows[:, 0].tolist())


def test_a_large_table_begins_empty_and_can_be_written() -> None:
    table = empty(1 << 17)
    assert (table.shape, table.nbytes) == ((1 << 17, 3), 24 << 17)
    assert not table.any()
    table[-1] = 7
    assert table[-1].tolist() == [7, 7, 7]


def test_a_horizon_of_zero_lets_everything_pass() -> None:
    assert judged(Admission(0, 1000), [(1, 0, 1, 5), (1, 0, 1, 5)]) == [(NEW, False)] * 2


def test_an_id_whose_hash_is_zero_is_like_any_other() -> None:
    assert judged(Admission(HORIZON, LATENESS), [(0, 7, 1, 5), (0, 7, 1, 5), (0, 8, 1, 5)]) == [
        (NEW, False),
        (DUPLICATE, False),
        (CONFLICT, False),
    ]


def test_the_clock_is_none_before_any_event() -> None:
    admission = Admission(HORIZON, LATENESS)
    assert admission.time_ms is None
    judged(admission, [(1, 0, 1, 5)])
    assert admission.time_ms == 5
