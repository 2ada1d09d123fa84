"""Windows that the compiled history cannot take are refused when the domain is loaded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from features.base.durations import DAY_MS, HOUR_MS
from features.base.roles import DomainError
from features.domains.clicks import DOMAIN

GOOD = ({"1d": 1.0, "7d": 7.0, "14d": 14.0}, {"1h": 1 / 24, "7d": 7.0, "30d": 30.0, "98d": 98.0})
WRONG = {
    "none of up to a day": {"7d": 7.0, "30d": 30.0},
    "no week": {"1d": 1.0, "30d": 30.0},
    "a week that is not the first": {"1d": 1.0, "3d": 3.0, "7d": 7.0, "30d": 30.0},
    "nothing longer than a week": {"1d": 1.0, "7d": 7.0},
    "longer than a row's age can be": {"1d": 1.0, "7d": 7.0, "99d": 99.0},
    "more sums than a subject's row holds": {"1d": 1.0, "7d": 7.0, "14d": 14.0, "30d": 30.0, "90d": 90.0},
    "out of order": {"7d": 7.0, "1d": 1.0, "30d": 30.0},
    "two alike": {"1d": 1.0, "24h": 1.0, "7d": 7.0, "30d": 30.0},
}


def in_ms(days: dict[str, float]) -> dict[str, int]:
    return {name: round(length * DAY_MS) for name, length in days.items()}


@pytest.mark.parametrize("days", GOOD)
def test_windows_that_it_can_take(days: dict[str, float]) -> None:
    replace(DOMAIN, windows=in_ms(days)).check()
    assert HOUR_MS in DOMAIN.windows.values()


@pytest.mark.parametrize("why", WRONG)
def test_windows_that_it_cannot_take(why: str) -> None:
    with pytest.raises(DomainError, match="domain clicks: windows"):
        replace(DOMAIN, windows=in_ms(WRONG[why])).check()
