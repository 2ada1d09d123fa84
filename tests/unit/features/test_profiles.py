"""Customer and terminal columns, and the distance behind them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from features.geo import EARTH_KM, haversine_km, haversine_km_columns
from features.profiles import PRIOR, PRIOR_RISK, Profiles, fill
from features.settings import DAY_MS
from features.terminal_tiles import TILE_WIDTH, add, empty
from features.vector import FEATURES, INDEX, WIDTH

DAY_0 = 17_600
NAN = float("nan")


def test_distances_are_great_circles() -> None:
    assert haversine_km(0.0, 0.0, 0.0, 180.0) == pytest.approx(math.pi * EARTH_KM)
    assert haversine_km(48.8566, 2.3522, 51.5074, -0.1278) == pytest.approx(343.6, abs=0.5)
    assert haversine_km(10.0, 20.0, 10.0, 20.0) == 0.0
    columns = (np.array([90.0, NAN]), np.array([0.0, 1.0]), np.array([-90.0, 1.0]), np.array([0.0, 1.0]))
    km = haversine_km_columns(*columns)
    assert km[0] == pytest.approx(math.pi * EARTH_KM)
    assert math.isnan(km[1])


def test_fill_writes_its_own_columns_only() -> None:
    tiles = empty()
    for _ in range(30):
        add(tiles, DAY_0 * DAY_MS, False)
    for _ in range(10):
        add(tiles, DAY_0 * DAY_MS, True)
    vectors = np.full((3, WIDTH), 7.0, dtype=np.float32)
    fill(
        vectors,
        event_time_ms=np.full(3, (DAY_0 + 8) * DAY_MS + 123),
        amount_minor=np.array([3000, 3000, 3000]),
        lat=np.array([1.0, 1.0, NAN]),
        lon=np.array([0.0, 0.0, NAN]),
        customer=np.array([[0, 0, 15.0, 9], [NAN, NAN, NAN, NAN], [0, 0, 0.0, 0]], dtype=np.float32),
        tiles=np.stack([tiles, empty(), tiles]),
        delay_days=7.0,
    )
    row = {name: vectors[:, i].tolist() for name, i in INDEX.items()}
    assert row["distance_from_home_km"][0] == pytest.approx(haversine_km(0.0, 0.0, 1.0, 0.0))
    assert row["distance_from_home_km"][1:] == [-1.0, -1.0]
    assert row["ratio_to_usual_amount"] == [2.0, 1.0, 1.0]
    assert row["terminal_count_1d"] == [40.0, 0.0, 40.0]
    assert row["terminal_risk_28d"][0] == pytest.approx((10 + PRIOR * PRIOR_RISK) / (40 + PRIOR))
    assert row["terminal_risk_7d"][1] == pytest.approx(PRIOR_RISK)
    others = [i for i, feature in enumerate(FEATURES) if feature.source in {"transaction", "card"}]
    assert (vectors[:, others] == 7.0).all()
    assert np.isfinite(vectors).all()


def test_the_day_of_the_event_and_the_delay_before_it_are_not_read() -> None:
    tiles = empty()
    add(tiles, DAY_0 * DAY_MS, True)
    counts = []
    for day in (7, 8, 9):
        vectors = np.zeros((1, WIDTH), dtype=np.float32)
        none = np.full((1, 4), np.nan, dtype=np.float32)
        place = np.array([NAN])
        fill(vectors, np.array([(DAY_0 + day) * DAY_MS]), np.array([1]), place, place, none, tiles.reshape(1, -1), 7.0)
        counts.append(vectors[0, INDEX["terminal_count_1d"]])
    assert counts == [0.0, 1.0, 0.0]


def test_age_is_that_of_the_older_profile() -> None:
    profiles = Profiles(
        customer=np.zeros((4, 4), dtype=np.float32),
        customer_ts_ms=np.array([100, 0, 0, 900]),
        tiles=np.zeros((4, TILE_WIDTH), dtype=np.int64),
        terminal_ts_ms=np.array([300, 400, 0, 0]),
    )
    assert profiles.age_ms(np.array([500, 500, 500, 500])).tolist() == [400, 100, -1, 0]
