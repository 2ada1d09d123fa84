"""How old or new a row may be against the event that reads it. Event time throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS, HOUR_MS
from features.base.feast_settings import Feast


@dataclass(frozen=True, slots=True)
class Limits:
    """How much older or newer than the event a row may be, in ms of event time. A maximum age of 0: no limit."""

    max_age_ms: int
    max_lead_ms: int

    def judge(self, row_ms: NDArray[np.int64], event_time_ms: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell which rows are too old, and which are too new, bool [n] each. ``row_ms`` [n] is 0 where there is no row."""
        known = row_ms > 0
        age = event_time_ms - row_ms
        stale = known & (age > self.max_age_ms) if self.max_age_ms else np.zeros(len(row_ms), dtype=np.bool_)
        return stale, known & (-age > self.max_lead_ms)


def owner_limits(rules: Feast) -> Limits:
    """Return the limits for ``owner_profile``."""
    return Limits(int(rules.profile_max_age_days * DAY_MS), int(rules.profile_max_lead_hours * HOUR_MS))


def counterpart_limits(rules: Feast) -> Limits:
    """Return the limits for ``counterpart_risk``."""
    return Limits(int(rules.tiles_max_age_days * DAY_MS), int(rules.tiles_max_lead_days * DAY_MS))
