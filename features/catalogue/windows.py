"""The windows of event time that a subject's features look through: (t - length, t], to the millisecond."""

from __future__ import annotations

from features.base.active import DOMAIN
from features.base.durations import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = [
    "COUNTERPART_DAYS",
    "COUNTERPART_LOOKBACK_DAYS",
    "DAY_MS",
    "HOUR_MS",
    "KEEP_MS",
    "LATENESS_MS",
    "LENGTHS",
    "LONGEST_MS",
    "MAX_ROWS",
    "MINUTE_MS",
    "WINDOWS",
]

#: By the suffix in a feature's name, shortest first.
WINDOWS: dict[str, int] = dict(DOMAIN.windows)
LENGTHS: tuple[int, ...] = tuple(WINDOWS.values())
LONGEST_MS = LENGTHS[-1]
#: An event that comes this late still finds its whole longest window.
LATENESS_MS = DAY_MS
#: What is kept of a subject, counted from its newest event.
KEEP_MS = LONGEST_MS + LATENESS_MS
#: And no more events than this, the newest ones: a subject with more has windows that hold these.
MAX_ROWS = 2048

#: Known outcomes of a counterpart, in days before the label horizon.
COUNTERPART_DAYS: tuple[int, ...] = DOMAIN.counterpart_days
#: How far behind the horizon a counterpart's last positive, last negative outcome and run of positives are looked for.
COUNTERPART_LOOKBACK_DAYS = 60
