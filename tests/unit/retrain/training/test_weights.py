from __future__ import annotations

import numpy as np
import pytest

from features.base.durations import DAY_MS
from retrain.training.weights import row_weights, thin


def test_an_event_of_one_half_life_ago_counts_half() -> None:
    time = np.array([0, 15 * DAY_MS])
    none = np.zeros(2, bool)
    weight = row_weights(time, none, ~none, 15 * DAY_MS, 15.0, 7 * DAY_MS)
    assert weight[0] / weight[1] == pytest.approx(0.5)
    assert weight.mean() == pytest.approx(1.0)


def test_silence_counts_for_more_the_longer_it_lasts() -> None:
    end = 100 * DAY_MS
    time = end - np.array([0, 1, 6, 8]) * DAY_MS
    none = np.zeros(4, bool)
    weight = row_weights(time, none, none, end, 1e9, 7 * DAY_MS)
    assert weight / weight[3] == pytest.approx([0, 1 / 7, 6 / 7, 1])


def test_frauds_are_lifted_by_the_root_of_the_imbalance() -> None:
    positive = np.zeros(101, bool)
    positive[0] = True
    weight = row_weights(np.zeros(101, np.int64), positive, np.ones(101, bool), 0, 15.0, 0)
    assert weight[0] / weight[1] == pytest.approx(10.0)


def test_thinning_keeps_every_fraud_and_says_what_a_kept_row_stands_for() -> None:
    positive = np.zeros(1000, bool)
    positive[::100] = True
    rows, factor = thin(positive, 110, np.random.default_rng(1))
    assert len(rows) == 110
    assert positive[rows].sum() == 10
    assert factor == pytest.approx(990 / 100)
    assert (np.diff(rows) > 0).all()
    rows, factor = thin(positive, 5000, np.random.default_rng(1))
    assert (len(rows), factor) == (1000, 1.0)
