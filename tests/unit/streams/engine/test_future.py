"""What comes from the future: event time against the time at which the broker took the record."""

from __future__ import annotations

import numpy as np
import pytest

from streams.engine.future import EventAhead, ahead, is_ahead, reason

NOW = 1_767_571_200_000
HOUR = 3_600_000


def test_the_limit_itself_is_allowed_and_a_millisecond_more_is_not() -> None:
    times = np.array([NOW + HOUR, NOW + HOUR + 1, NOW - HOUR, NOW + HOUR + 1], dtype=np.int64)
    appended = np.array([NOW, NOW, NOW, 0], dtype=np.int64)
    assert ahead(times, appended, HOUR).tolist() == [False, True, False, False]
    assert not ahead(times, appended, 0).any()
    pairs = list(zip(times.tolist(), appended.tolist(), strict=True))
    assert [is_ahead(*pair, HOUR) for pair in pairs] == [False, True, False, False]
    assert not any(is_ahead(*pair, 0) for pair in pairs)


@pytest.mark.parametrize(("span", "distance"), [(HOUR, "3600 seconds"), (30 * HOUR, "30.0 hours"), (480 * HOUR, "20.0 days")])
def test_the_reason_says_how_far_and_what_to_do(span: int, distance: str) -> None:
    refusal = reason(NOW + span, NOW)
    assert isinstance(refusal, EventAhead)
    assert distance in str(refusal)
    assert str(refusal).startswith("event_time_ms is ")
    assert str(reason(NOW + span, NOW, "label_time_ms")).startswith("label_time_ms is ")
    assert "allowed_lead_hours" in str(refusal)
