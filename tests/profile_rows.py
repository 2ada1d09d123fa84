"""Rows of profiles and tiles for tests."""

from __future__ import annotations

import numpy as np

from features.base.durations import DAY_MS, HOUR_MS
from features.online.store import ProfileRow
from features.transform.counterpart_tiles import Tiles
from features.transform.profiles import (
    CATEGORIES,
    COUNT,
    HOME_LAT,
    HOME_LON,
    HOUR_SHARES,
    HOURS,
    MEAN_MEASURE,
    PROFILE_WIDTH,
    USUAL_WIDTH,
)


def profile_row(subject: str, time_ms: int, mean_measure: float, seed: int = 0) -> ProfileRow:
    """A full profile: a home, every hour equally, as many categories and terminals as there is room for."""
    draw = np.random.default_rng(seed)
    profile = draw.random(PROFILE_WIDTH, dtype=np.float32) * 100
    profile[[HOME_LAT, HOME_LON, MEAN_MEASURE, COUNT]] = 48.5, -2.25, mean_measure, 90
    profile[HOUR_SHARES : HOUR_SHARES + HOURS] = 1 / HOURS
    usual = draw.integers(-(2**62), 2**62, USUAL_WIDTH)
    usual[CATEGORIES:] = draw.integers(-(2**31), 2**31, USUAL_WIDTH - CATEGORIES)
    return ProfileRow(subject, time_ms, profile, usual)


def tiles(time_ms: int, hours: int, seed: int = 0) -> Tiles:
    """int64 [hours, 4]: one tile every seven hours, the newest eight days before ``time_ms``."""
    draw = np.random.default_rng(seed)
    rows = np.zeros((hours, 4), dtype=np.int64)
    rows[:, 0] = (time_ms - 8 * DAY_MS) // HOUR_MS - 7 * np.arange(hours)[::-1]
    rows[:, 1] = draw.integers(1, 4, hours)
    rows[:, 2] = draw.integers(0, rows[:, 1] + 1)
    rows[:, 3] = draw.integers(0, rows[:, 2] + 1)
    return rows
