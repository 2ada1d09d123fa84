"""What one card's habits come to."""

from __future__ import annotations

import numpy as np
import pytest

from features.jobs.daily_profiles import Habits
from features.transform.profiles import HOME_LAT, HOME_LON, distance_from_home


def habits(*places: tuple[float, float]) -> np.ndarray:
    card = Habits()
    for place in places:
        card.add(0, 100, "t", None, place)
    return card.profile()[0]


def test_a_home_is_the_mean_of_the_places_where_the_card_was() -> None:
    assert habits((48.0, 11.0), (50.0, 13.0))[[HOME_LAT, HOME_LON]].tolist() == [49.0, 12.0]


@pytest.mark.parametrize("places", [[(-17.0, 179.9), (-17.0, -179.9)], [(-17.0, -179.95), (-17.0, 179.85), (-17.0, -179.9)]])
def test_a_home_at_180_degrees_is_no_home_at_0(places: list[tuple[float, float]]) -> None:
    assert distance_from_home(habits(*places), -17.0, 180.0) < 20.0
    assert abs(habits(*places)[HOME_LON]) <= 180.0


def test_without_places_there_is_no_home() -> None:
    card = Habits()
    card.add(0, 100, "t", None, None)
    assert np.isnan(card.profile()[0][[HOME_LAT, HOME_LON]]).all()
