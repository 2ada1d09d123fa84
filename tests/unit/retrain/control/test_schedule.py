"""Retraining by schedule."""

from __future__ import annotations

import pytest

from features.base.durations import DAY_MS
from retrain.control.schedule import due

START = 1_700_000_000_000


@pytest.mark.parametrize(
    ("every", "last", "days"),
    [(None, START, 100.0), (7.0, None, 100.0), (7.0, START, 6.9)],
    ids=["off", "no run", "early"],
)
def test_nothing_is_due(every: float | None, last: int | None, days: float) -> None:
    assert due("fraud", every, START + round(days * DAY_MS), last) is None


def test_due_once_a_period() -> None:
    first = due("fraud", 7, START + 7 * DAY_MS, START)
    again = due("fraud", 7, START + 7 * DAY_MS + 1, START)
    assert first is not None
    assert again is not None
    assert first.cause == "schedule"
    assert first.idempotency_key == again.idempotency_key


def test_the_next_period_has_another_key() -> None:
    keys = {
        asked.idempotency_key
        for n in (1, 2, 3)
        if (asked := due("fraud", 7, START + 7 * n * DAY_MS, START + 7 * (n - 1) * DAY_MS))
    }
    assert len(keys) == 3
