"""The fault rules: each fault is found and named with its hours, and nights are none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from features.base.durations import HOUR_MS
from features.catalogue import vector
from streams.drift.data.columns import MODE_NAMES
from streams.drift.data.counts import Counts, count
from streams.drift.data.faults import Expected, Fault, find
from tests.unit.streams.drift.synthetic import START_MS, GivenReferences, Vectors, times_of, vectors

EXPECTED = Expected(GivenReferences("v1").get("v1").features)


def slices(times: NDArray[np.int64], values: Vectors) -> dict[int, Counts]:
    starts = times // HOUR_MS * HOUR_MS
    return {start: count(values[starts == start]) for start in np.unique(starts).tolist()}


def find_in(rows: int, change: Callable[[Vectors], None], hours: tuple[int, int] = (0, 24), share: float = 1.0) -> list[Fault]:
    """Faults of a day of ``rows`` whose hours [from, to) go through ``change``, for a ``share`` of the rows."""
    rng = np.random.default_rng(rows)
    times = times_of(rng, 0, rows)
    values = vectors(rng, times)
    hour = (times - START_MS) // HOUR_MS
    hit = (hour >= hours[0]) & (hour < hours[1]) & (rng.random(rows) < share)
    part = values[hit]
    change(part)
    values[hit] = part
    return find(slices(times, values), HOUR_MS, EXPECTED)


def in_cents(values: Vectors) -> None:
    values[:, vector.INDEX["amount"]] *= 100


def without_place(values: Vectors) -> None:
    values[:, vector.INDEX["has_location"]] = 0
    values[:, vector.INDEX["distance_from_last_transaction"]] = -1


def only_chip(values: Vectors) -> None:
    for name in vector.NAMES:
        if name in MODE_NAMES:
            values[:, vector.INDEX[name]] = name == "used_chip"


def no_mode(values: Vectors) -> None:
    for name in vector.NAMES:
        if name in MODE_NAMES:
            values[:, vector.INDEX[name]] = 0


CASES = [
    (in_cents, "amount_minor", "unit"),
    (without_place, "latitude", "missing"),
    (only_chip, "entry_mode", "stuck at chip"),
    (no_mode, "entry_mode", "missing"),
]


@pytest.mark.parametrize(("change", "field", "rule"), CASES)
@pytest.mark.parametrize("rows", [1500, 6000])
def test_a_fault_of_a_few_hours_is_named_with_its_hours(
    change: Callable[[Vectors], None], field: str, rule: str, rows: int
) -> None:
    faults = find_in(rows, change, hours=(10, 13))
    assert [(f.finding.field, f.finding.rule) for f in faults] == [(field, rule)]
    assert (faults[0].start_ms, faults[0].end_ms) == (START_MS + 10 * HOUR_MS, START_MS + 13 * HOUR_MS)


@pytest.mark.parametrize(("change", "field", "rule"), CASES)
def test_a_fault_in_a_window_too_thin_for_hours_is_found_in_the_whole(
    change: Callable[[Vectors], None], field: str, rule: str
) -> None:
    faults = find_in(400, change)
    assert (field, rule) in [(f.finding.field, f.finding.rule) for f in faults]


def test_one_producer_in_another_unit_is_enough() -> None:
    faults = find_in(6000, in_cents, hours=(8, 20), share=0.4)
    assert {f.finding.field for f in faults} == {"amount_minor"}
    assert faults[0].finding.measured > 20 * faults[0].finding.expected


def test_the_thin_hours_beside_a_fault_are_part_of_it() -> None:
    faults = find_in(1500, without_place, hours=(0, 12))
    assert faults[0].start_ms == START_MS
    assert faults[0].end_ms == START_MS + 12 * HOUR_MS


@pytest.mark.parametrize("rows", [600, 5000])
@pytest.mark.parametrize("reference_rows", [2000, 20_000])
def test_sixty_ordinary_days_show_none(rows: int, reference_rows: int) -> None:
    expected = Expected(GivenReferences("v1", rows=reference_rows).get("v1").features)
    rng = np.random.default_rng(3)
    for day in range(60):
        times = times_of(rng, day, rows)
        assert find(slices(times, vectors(rng, times)), HOUR_MS, expected) == []


def test_a_window_of_one_night_is_no_fault() -> None:
    rng = np.random.default_rng(4)
    times = START_MS + rng.integers(0, 5 * HOUR_MS, 140)
    assert find(slices(times, vectors(rng, times)), HOUR_MS, EXPECTED) == []


def test_amounts_that_rise_by_a_half_are_no_fault() -> None:
    def dearer(values: Vectors) -> None:
        values[:, vector.INDEX["amount"]] *= 1.6

    assert find_in(6000, dearer) == []
