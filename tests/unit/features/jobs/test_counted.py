"""Measures counted again: by the table as it was at any time, and by no other."""

from __future__ import annotations

import numpy as np

from features.base.rates import Rate
from features.base.settings import Settings
from features.jobs.counted import never_given

DAY = 86_400_000
RATES = [Rate("HUF", 0, "0.002"), Rate("HUF", DAY, "0.004", known_ms=500), Rate("USD", 0, "0.9", known_ms=700)]


def wrong(unit: str, own: int, counted: int, time: int = 2 * DAY) -> bool:
    own_, time_, counted_ = (np.array([number], dtype=np.int64) for number in (own, time, counted))
    return bool(never_given(Settings(), RATES, [unit], own_, time_, counted_)[0])


def test_what_the_table_gave_at_any_time_is_right() -> None:
    assert not wrong("EUR", 1234, 1234)
    assert not wrong("HUF", 100_000, 400)
    assert not wrong("HUF", 100_000, 200), "before the second row was known"
    assert not wrong("USD", 100, 90)
    assert not wrong("USD", 100, -1), "marked, before there was a row"
    assert not wrong("ABC", 100, -1)


def test_what_it_never_gave_is_wrong() -> None:
    assert wrong("EUR", 1234, 1235)
    assert wrong("HUF", 100_000, 300)
    assert wrong("HUF", 100_000, 400, time=DAY - 1)
    assert wrong("HUF", 100_000, -1)
    assert wrong("HUF", 100_000, 100_000)
