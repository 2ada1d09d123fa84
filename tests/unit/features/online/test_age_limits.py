"""Too old, too new, just right."""

from __future__ import annotations

import numpy as np

from features.base.durations import DAY_MS
from features.base.feast_settings import Feast
from features.online.age_limits import Limits, counterpart_limits, owner_limits

T = 1_600_000_000_000


def test_the_limits_themselves_are_within() -> None:
    limits = Limits(max_age_ms=1000, max_lead_ms=50)
    rows = np.array([T - 1001, T - 1000, T, T + 50, T + 51, 0])
    stale, future = limits.judge(rows, np.full(6, T))
    assert stale.tolist() == [True, False, False, False, False, False]
    assert future.tolist() == [False, False, False, False, True, False]


def test_zero_days_is_no_limit_of_age() -> None:
    stale, future = Limits(0, 0).judge(np.array([1, T, T + 1]), np.full(3, T))
    assert not stale.any()
    assert future.tolist() == [False, False, True]


def test_settings_are_read_in_their_units() -> None:
    rules = Feast(profile_max_age_days=2, profile_max_lead_hours=0.5, tiles_max_age_days=3, tiles_max_lead_days=4)
    assert owner_limits(rules) == Limits(2 * DAY_MS, DAY_MS // 48)
    assert counterpart_limits(rules) == Limits(3 * DAY_MS, 4 * DAY_MS)
