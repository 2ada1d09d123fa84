"""The windows of event time that the card features look through: (t - length, t], to the millisecond."""

from __future__ import annotations

# Not from features.base.durations: this file is hashed into the schema of each vector as it stands.
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

#: By the suffix in a feature's name, shortest first.
WINDOWS: dict[str, int] = {
    "10m": 10 * MINUTE_MS,
    "1h": HOUR_MS,
    "6h": 6 * HOUR_MS,
    "1d": DAY_MS,
    "7d": 7 * DAY_MS,
    "30d": 30 * DAY_MS,
    "90d": 90 * DAY_MS,
}
LENGTHS: tuple[int, ...] = tuple(WINDOWS.values())
LONGEST_MS = LENGTHS[-1]
#: An event that comes this late still finds its whole longest window.
LATENESS_MS = DAY_MS
#: What is kept of a card, counted from its newest event.
KEEP_MS = LONGEST_MS + LATENESS_MS
#: And no more events than this, the newest ones: a card that pays more often has windows that hold these.
MAX_ROWS = 2048

#: Known outcomes of a terminal, in days before the label horizon.
TERMINAL_DAYS: tuple[int, ...] = (1, 7, 28, 30)
#: How far behind the horizon a terminal's last fraud, last genuine outcome and run of frauds are looked for.
TERMINAL_LOOKBACK_DAYS = 60
