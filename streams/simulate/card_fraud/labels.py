"""When and by whom the truth about a payment becomes known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS, HOUR_MS
from streams.publish.batch import Events, Labels

#: Share of the frauds that an analyst sees the same day; the others come back as chargebacks.
ANALYST_SHARE = 0.2
#: Chargeback delay in days: log-normal, 4 % of them beyond 7 days, none beyond MAX_DELAY_DAYS.
CHARGEBACK_MEDIAN, CHARGEBACK_SIGMA = 2.5, 0.6
MAX_DELAY_DAYS = 30
#: Share of the genuine payments that an analyst clears: seldom, more often where the amount stands out.
CLEARED, CLEARED_IF_LARGE = 0.0005, 0.04


def label(transactions: Events, positive: NDArray[np.bool_], large: NDArray[np.bool_], rng: np.random.Generator) -> Labels:
    """Make labels of every fraud and of a few genuine payments. ``large`` marks amounts far above the card's usual one."""
    n = len(transactions)
    cleared = ~positive & (rng.random(n) < np.where(large, CLEARED_IF_LARGE, CLEARED))
    rows = np.flatnonzero(positive | cleared)
    fraud = positive[rows]
    analyst = ~fraud | (rng.random(len(rows)) < ANALYST_SHARE)
    days = np.minimum(rng.lognormal(np.log(CHARGEBACK_MEDIAN), CHARGEBACK_SIGMA, len(rows)), MAX_DELAY_DAYS)
    hours = np.clip(rng.lognormal(np.log(3.0), 0.6, len(rows)), 0.25, 20.0)
    delay = np.where(analyst, hours * HOUR_MS, days * DAY_MS).astype(np.int64)
    time = transactions.event_time_ms[rows] + delay
    return Labels.of(transactions, rows, fraud, time, analyst.astype(np.int8))
