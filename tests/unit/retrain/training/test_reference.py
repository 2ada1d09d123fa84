from __future__ import annotations

import numpy as np

from features.base.durations import DAY_MS
from retrain.training.reference import MAX_ROWS, MIN_ROWS, choose


def test_the_newest_week_is_sampled() -> None:
    time = np.arange(0, 30 * DAY_MS, DAY_MS // 5000)
    rows = choose(time, np.random.default_rng(1))
    assert len(rows) == MAX_ROWS
    assert time[rows].min() > time.max() - 7 * DAY_MS
    assert (np.diff(rows) > 0).all()


def test_a_thin_week_is_filled_up_from_before() -> None:
    time = np.arange(0, 100 * DAY_MS, DAY_MS // 50)
    rows = choose(time, np.random.default_rng(1))
    assert len(rows) == MIN_ROWS
    assert rows[-1] == len(time) - 1
