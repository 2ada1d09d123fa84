"""The 15 features against brute force, and the stream's vectors against the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.handbook.data import Transactions
from benchmarks.handbook.fifteen import NAMES, fifteen
from benchmarks.handbook.stream import vectors
from features.base.durations import DAY_MS, HOUR_MS
from features.catalogue.formulas import PRIOR_OUTCOMES, PRIOR_SHARE
from features.catalogue.vector import INDEX
from tests.unit.benchmarks.small import first, history

DELAY = 7


def naive(t: Transactions, i: int) -> list[float]:
    """The Handbook's features of row ``i``: look at every row."""
    event_ms = int(t.time_ms[i])
    hour, weekday = event_ms % DAY_MS // 3_600_000, (event_ms // DAY_MS + 3) % 7
    out = [t.measure[i] / 100, float(weekday >= 5), float(hour <= 6)]
    for days in (1, 7, 30):
        rows = [j for j in range(i + 1) if t.subject[j] == t.subject[i] and event_ms - days * DAY_MS < t.time_ms[j]]
        out += [len(rows), sum(int(t.measure[j]) for j in rows) / 100 / len(rows)]
    for days in (1, 7, 30):
        end = event_ms - DELAY * DAY_MS
        same = [j for j in range(len(t)) if t.counterpart[j] == t.counterpart[i]]
        rows = [j for j in same if end - days * DAY_MS < t.time_ms[j] <= end]
        out += [len(rows), sum(bool(t.positive[j]) for j in rows) / len(rows) if rows else 0.0]
    return out


@pytest.mark.parametrize("seed", range(3))
def test_the_fifteen_are_those_of_brute_force(seed: int) -> None:
    t = history(seed)
    ours = fifteen(t, vectors(t, DELAY), DELAY)
    assert ours.shape == (len(t), len(NAMES)) == (len(t), 15)
    expected = np.array([naive(t, i) for i in range(len(t))], dtype=np.float32)
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_a_window_ends_exactly_at_the_delay_and_begins_after_its_length() -> None:
    at = 17_700 * DAY_MS
    ages = [DELAY * DAY_MS + DAY_MS, DELAY * DAY_MS + DAY_MS - 1000, DELAY * DAY_MS, DELAY * DAY_MS - 1000, 0]
    n = len(ages)
    zero = np.zeros(n, dtype=np.int64)
    t = Transactions(np.array([at - age for age in ages]), zero, zero, zero + 100, np.array([True, False, True, True, True]))
    last = dict(zip(NAMES, fifteen(t, vectors(t, DELAY), DELAY)[-1].tolist(), strict=True))
    assert (last["terminal_count_1d"], last["terminal_risk_1d"]) == (2.0, 0.5)
    assert (last["terminal_count_7d"], last["terminal_risk_7d"]) == (3.0, pytest.approx(2 / 3))


@pytest.mark.parametrize("step", [1, 24])
def test_terminal_columns_of_the_vector_count_whole_steps_behind_the_delay(step: int) -> None:
    t = history(5)
    own = vectors(t, DELAY, step)
    hour = t.time_ms // HOUR_MS
    for i in range(0, len(t), 7):
        for days in (1, 7, 28):
            end = (hour[i] - 24 * DELAY) // step * step
            rows = (t.counterpart == t.counterpart[i]) & (hour < end) & (hour >= end - 24 * days)
            risk = (t.positive[rows].sum() + PRIOR_OUTCOMES * PRIOR_SHARE) / (rows.sum() + PRIOR_OUTCOMES)
            assert own[i, INDEX[f"terminal_count_{days}d"]] == rows.sum()
            assert own[i, INDEX[f"terminal_risk_{days}d"]] == pytest.approx(risk, rel=1e-6)


def test_the_usual_amount_is_that_of_the_days_before() -> None:
    t = history(6)
    ratio = vectors(t, DELAY)[:, INDEX["ratio_to_usual_amount"]]
    for i in range(0, len(t), 5):
        rows = (t.subject == t.subject[i]) & (t.day < t.day[i])
        expected = t.measure[i] / t.measure[rows].mean() if rows.any() else 1.0
        assert ratio[i] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("cut", [1, 57, 200, 399])
def test_no_feature_changes_when_later_events_are_added(cut: int) -> None:
    t = history(7)
    early = first(t, cut)
    own, cut_off = vectors(t, DELAY)[:cut], vectors(early, DELAY)
    np.testing.assert_array_equal(own, cut_off)
    np.testing.assert_array_equal(fifteen(t, vectors(t, DELAY), DELAY)[:cut], fifteen(early, cut_off, DELAY))


def test_no_feature_changes_with_labels_that_are_not_due() -> None:
    t = history(8)
    own = vectors(t, DELAY)
    for i in (120, 250, 399):
        unknown = t.time_ms > t.time_ms[i] - DELAY * DAY_MS
        other = replace(t, positive=t.positive ^ unknown)
        changed = vectors(other, DELAY)
        np.testing.assert_array_equal(changed[i], own[i])
        np.testing.assert_array_equal(fifteen(other, changed, DELAY)[i], fifteen(t, own, DELAY)[i])
    flipped = replace(t, positive=~t.positive)
    assert not np.array_equal(vectors(flipped, DELAY)[399], own[399]), "labels that are due must count"
