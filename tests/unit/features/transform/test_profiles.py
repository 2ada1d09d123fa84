"""Customer and terminal columns, and the distance behind them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from features.base.durations import DAY_MS, HOUR_MS
from features.catalogue.formulas import PRIOR_OUTCOMES, PRIOR_SHARE
from features.catalogue.geo import EARTH_KM, haversine_km
from features.catalogue.vector import FEATURES, INDEX, NAMES, WIDTH
from features.transform.columns import Columns, category_number, counterpart_number
from features.transform.counterpart_tiles import Counterpart
from features.transform.fill import fill
from features.transform.profiles import CATEGORIES, CATEGORY_MEANS, HOUR_SHARES, PROFILE_WIDTH, USUAL_WIDTH, Profiles, unknown

T0 = 17_600 * DAY_MS
NAN = float("nan")


def batch(n: int, time_ms: int, amount: int = 3000, latitude: float = 1.0, longitude: float = 0.0) -> Columns:
    return Columns(
        subject=["c"] * n,
        event_time_ms=np.full(n, time_ms),
        measure=np.full(n, amount),
        counterpart=np.full(n, counterpart_number("m1"), dtype=np.int32),
        category=np.full(n, category_number("grocery")),
        latitude=np.full(n, latitude, dtype=np.float32),
        longitude=np.full(n, longitude, dtype=np.float32),
        mode=np.full(n, -1, dtype=np.int8),
        flag=np.full(n, -1, dtype=np.int8),
        kind=np.zeros(n, dtype=np.int8),
    )


def profile() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    owner = np.zeros(PROFILE_WIDTH, dtype=np.float32)
    usual = np.zeros(USUAL_WIDTH, dtype=np.int64)
    owner[:4] = 0.0, 0.0, 15.0, 9.0
    owner[HOUR_SHARES + 23], owner[HOUR_SHARES + 0], owner[HOUR_SHARES + 1], owner[HOUR_SHARES + 2] = 0.5, 0.25, 0.125, 0.125
    usual[3], owner[CATEGORY_MEANS + 3] = category_number("grocery"), 60.0
    usual[CATEGORIES + 5] = counterpart_number("m1")
    return owner, usual


def test_distances_are_great_circles() -> None:
    assert haversine_km(0.0, 0.0, 0.0, 180.0) == pytest.approx(math.pi * EARTH_KM)
    assert haversine_km(48.8566, 2.3522, 51.5074, -0.1278) == pytest.approx(343.6, abs=0.5)
    assert haversine_km(10.0, 20.0, 10.0, 20.0) == 0.0
    assert haversine_km(90.0, 0.0, -90.0, 0.0) == pytest.approx(math.pi * EARTH_KM)
    assert math.isnan(haversine_km(NAN, 1.0, 1.0, 1.0))


def test_fill_writes_its_own_columns_only() -> None:
    counterpart = Counterpart()
    for i in range(40):
        counterpart.add(f"x{i}", T0, i < 10, unusual=i < 3)
    mine, usual = profile()
    known = dataclasses.replace(
        unknown(2),
        owner=np.stack([mine, np.full(PROFILE_WIDTH, NAN, dtype=np.float32)]),
        usual=np.stack([usual, np.zeros(USUAL_WIDTH, dtype=np.int64)]),
        tiles=counterpart.tiles,
        begin=np.array([0, 0]),
        end=np.array([1, 0]),
    )
    vectors = np.full((2, WIDTH), 7.0, dtype=np.float32)
    fill(vectors, batch(2, T0 + 8 * DAY_MS + 123), known, 7 * DAY_MS, 1)
    row = {name: vectors[:, i].tolist() for name, i in INDEX.items()}
    assert row["distance_from_home"] == [pytest.approx(haversine_km(0.0, 0.0, 1.0, 0.0)), -1.0]
    assert row["ratio_to_usual_amount"] == [2.0, 1.0]
    assert row["ratio_to_category_amount"] == [0.5, 1.0]
    assert row["usual_hour_share"] == [0.875, -1.0]
    assert row["usual_terminal"] == [1.0, 0.0]
    assert row["terminal_count_1d"] == [40.0, 0.0]
    assert row["terminal_frauds_7d"] == [10.0, 0.0]
    assert row["terminal_risk_28d"][0] == pytest.approx((10 + PRIOR_OUTCOMES * PRIOR_SHARE) / (40 + PRIOR_OUTCOMES))
    assert row["terminal_risk_7d"][1] == pytest.approx(PRIOR_SHARE)
    assert row["terminal_last_label"] == [0.25, -1.0]
    assert row["terminal_days_since_fraud"] == [1.0, -1.0]
    assert row["terminal_unexplained_7d"] == [7.0, 0.0]
    others = [i for i, feature in enumerate(FEATURES) if feature.source in {"event", "history"}]
    assert (vectors[:, others] == 7.0).all()
    assert np.isfinite(vectors).all()


def test_what_is_unknown_has_the_value_that_the_catalogue_names() -> None:
    vectors = np.full((1, WIDTH), 7.0, dtype=np.float32)
    fill(vectors, batch(1, T0, latitude=NAN, longitude=NAN), unknown(1), 7 * DAY_MS, 1)
    named = {
        f.name: f.missing for f in FEATURES if f.source in {"profile", "counterpart"} and not f.name.startswith("terminal_risk")
    }
    assert {name: vectors[0, NAMES.index(name)] for name in named} == named


@pytest.mark.parametrize(
    ("step", "hour", "counts"), [(1, 1, 1.0), (1, 0, 0.0), (24, 23, 0.0), (24, 24, 1.0), (6, 5, 0.0), (6, 6, 1.0)]
)
def test_the_delay_and_the_step_hide_what_is_not_known_for_sure(step: int, hour: int, counts: float) -> None:
    counterpart = Counterpart()
    counterpart.add("x", T0 + 1, True)
    known = dataclasses.replace(unknown(1), tiles=counterpart.tiles, end=np.array([1]))
    vectors = np.zeros((1, WIDTH), dtype=np.float32)
    fill(vectors, batch(1, T0 + 7 * DAY_MS + hour * HOUR_MS), known, 7 * DAY_MS, step)
    assert vectors[0, INDEX["terminal_frauds_1d"]] == counts


def test_age_is_that_of_the_older_profile() -> None:
    profiles: Profiles = dataclasses.replace(
        unknown(4), owner_ts_ms=np.array([100, 0, 0, 900]), counterpart_ts_ms=np.array([300, 400, 0, 0])
    )
    assert profiles.age_ms(np.array([500, 500, 500, 500])).tolist() == [400, 100, -1, 0]
