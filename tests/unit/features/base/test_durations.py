from __future__ import annotations

from datetime import timedelta

from features.base import durations
from features.catalogue import windows


def test_they_are_in_milliseconds() -> None:
    millisecond = timedelta(milliseconds=1)
    spans = [durations.SECOND_MS, durations.MINUTE_MS, durations.HOUR_MS, durations.DAY_MS]
    assert spans == [timedelta(**{unit: 1}) // millisecond for unit in ("seconds", "minutes", "hours", "days")]


def test_the_windows_that_keep_lines_of_their_own_mean_the_same() -> None:
    spans = (durations.MINUTE_MS, durations.HOUR_MS, durations.DAY_MS)
    assert spans == (windows.MINUTE_MS, windows.HOUR_MS, windows.DAY_MS)
