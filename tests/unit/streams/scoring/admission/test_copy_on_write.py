"""A copy in steps, whatever comes in between, holds the rows of its beginning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.scoring.admission.admission import CONFLICT, NEW, Admission
from streams.scoring.admission.copy_on_write import AdmissionCopy
from tests.unit.streams.scoring.admission.test_admission import small_tables

HORIZON, LATENESS = 40, 15
FIRST_SIZE = 1024
Batch = tuple[int, int, int]
"""Seed of its events; how many (of these, many come twice); how far time has gone on."""
#: Some 500 new ids fill the first table, so that a few batches make room in the middle of a copy.
BATCHES = st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 250), st.integers(0, 60)), max_size=8)

#: The same for tables that move a few places at each batch.
SMALL = st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 25), st.integers(0, 30)), max_size=12)


def take(admission: Admission, batches: list[Batch], start: int = 0) -> list[list[Any]]:
    """What was said of each batch. Ids come again, with the same body or another, and expire; some are 0 or negative."""
    verdicts = []
    for seed, size, later in batches:
        start += later
        draw = np.random.default_rng(seed)
        ids = draw.integers(-300, 300, size)
        subjects, times = draw.integers(0, 12, size), start + draw.integers(-20, 20, size)
        admitted = admission.admit(ids, draw.integers(0, 2, size), subjects, times)
        verdicts.append([admitted.verdict.tolist(), admitted.late.tolist()])
    return verdicts


def content(arrays: dict[str, NDArray[Any]]) -> tuple[list[Any], list[Any]]:
    rows = sorted(map(tuple, arrays["admitted"].tolist()))
    assert len({row[0] for row in rows}) == len(rows)
    return rows, arrays["clock"].tolist()


def finish(copy: AdmissionCopy, places: int = 300) -> dict[str, NDArray[Any]]:
    while not copy.done:
        copy.step(places)
    return copy.arrays()


@settings(deadline=None)
@given(BATCHES, BATCHES, st.integers(1, 700))
def test_a_copy_is_as_of_its_beginning(before: list[Batch], after: list[Batch], places: int) -> None:
    is_as_of_its_beginning(before, after, places)


@settings(deadline=None)
@given(SMALL, SMALL, st.integers(1, 30))
def test_it_is_so_while_entries_move_to_another_table(before: list[Batch], after: list[Batch], places: int) -> None:
    with small_tables():
        is_as_of_its_beginning(before, after, places)


def is_as_of_its_beginning(before: list[Batch], after: list[Batch], places: int) -> None:
    admission = Admission(HORIZON, LATENESS)
    take(admission, before)
    expected = content(admission.arrays())
    copy = admission.copy()
    start = sum(later for _, _, later in before)
    verdicts = []
    for batch in after:
        verdicts += take(admission, [batch], start)
        start += batch[2]
        copy.step(places)
    arrays = finish(copy)
    assert content(arrays) == expected
    again = Admission(HORIZON, LATENESS)
    again.load(arrays)
    assert take(again, after, sum(later for _, _, later in before)) == verdicts
    assert content(again.arrays()) == content(admission.arrays())


Ints = NDArray[np.int64]


def numbered(first: int, count: int, time: int, body: int = 0) -> tuple[Ints, Ints, Ints, Ints]:
    """Events of as many ids, on as many cards."""
    ids = np.arange(first, first + count)
    return ids, np.full(count, body), ids, np.full(count, time)


def test_what_comes_after_room_was_made_does_not_tell_on_the_copy() -> None:
    admission = Admission(HORIZON, LATENESS)
    admission.admit(*numbered(1, 400, 5))
    expected = content(admission.arrays())
    copy = admission.copy()
    copy.step(100)
    admission.admit(*numbered(390, 90, 500))  # some of them again, long after
    was = admission.nbytes
    admission.admit(*numbered(1000, 900, 600))
    assert admission.nbytes > was
    admission.admit(*numbered(1, 400, 700, body=1))
    assert content(finish(copy)) == expected
    assert len(expected[0]) == 400


def test_an_id_whose_hash_is_zero_is_noted_like_any_other() -> None:
    admission = Admission(HORIZON, LATENESS)
    empty = admission.copy()
    admission.admit(*numbered(0, 1, 5, body=7))
    assert len(finish(empty)["admitted"]) == 0
    held = admission.copy()
    admission.admit(*numbered(100, 9, 500))  # the first one has expired
    assert admission.admit(*numbered(0, 1, 500, body=8)).verdict.tolist() == [NEW]
    arrays = finish(held)
    assert arrays["admitted"].tolist() == [[1, 7, 5]]
    again = Admission(HORIZON, LATENESS)
    again.load(arrays)
    assert again.admit(*numbered(0, 1, 5, body=8)).verdict.tolist() == [CONFLICT]


def test_ids_that_share_a_place_of_the_table() -> None:
    """One that comes later may lie where another was looked for."""
    admission = Admission(HORIZON, LATENESS)
    admission.admit(*numbered(FIRST_SIZE - 2, 1, 5))
    expected = content(admission.arrays())
    copy = admission.copy()
    for turn in range(1, 6):
        copy.step(10)
        ids = (FIRST_SIZE - 2) + FIRST_SIZE * np.arange(turn + 1)[::-1]  # run over the table's end
        admission.admit(ids, np.ones(turn + 1, dtype=np.int64), ids, np.full(turn + 1, 100 * turn))
    assert content(finish(copy)) == expected


def test_a_second_copy_replaces_the_first() -> None:
    admission = Admission(HORIZON, LATENESS)
    admission.admit(*numbered(1, 10, 5))
    admission.copy().step(3)
    admission.admit(*numbered(5, 10, 500))
    expected = content(admission.arrays())
    second = admission.copy()
    admission.admit(*numbered(1, 30, 1000))
    assert content(finish(second)) == expected


def test_a_load_leaves_the_copy_as_it_was() -> None:
    admission = Admission(HORIZON, LATENESS)
    admission.admit(*numbered(1, 10, 5))
    expected = content(admission.arrays())
    copy = admission.copy()
    copy.step(5)
    other = Admission(HORIZON, LATENESS)
    other.admit(*numbered(100, 10, 7))
    admission.load(other.arrays())
    admission.admit(*numbered(1, 20, 500))
    assert content(finish(copy)) == expected


def test_a_step_copies_no_more_than_it_is_told_to() -> None:
    admission = Admission(HORIZON, LATENESS)
    admission.admit(*numbered(1, 400, 5))
    copy, steps = admission.copy(), 0
    while not copy.done:
        copy.step(100)
        steps += 1
    assert steps == -(-FIRST_SIZE // 100)


def test_a_copy_that_is_not_complete_cannot_be_taken() -> None:
    with pytest.raises(RuntimeError, match="step"):
        Admission(HORIZON, LATENESS).copy().arrays()
