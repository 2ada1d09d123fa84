"""When and by whom the truth about a payment becomes known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS, HOUR_MS
from streams.publish.batch import Events, Labels, concat_labels

#: Share of the frauds that an analyst sees the same day; the others come back as chargebacks.
ANALYST_SHARE = 0.2
#: Chargeback delay in days: log-normal, 4 % of them beyond 7 days, none beyond MAX_DELAY_DAYS.
CHARGEBACK_MEDIAN, CHARGEBACK_SIGMA = 2.5, 0.6
MAX_DELAY_DAYS = 30
#: A reversal comes so many days after the label that it withdraws: log-normal, none beyond MAX_REVERSAL_DAYS.
REVERSAL_MEDIAN, REVERSAL_SIGMA = 6.0, 0.6
MAX_REVERSAL_DAYS = 40
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


def withdrawn(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    """Return ``labels`` and, for a ``share`` of those that say fraud, a later one that says genuine, in order of their time.

    An analyst's comes from an analyst, a chargeback's reversal from where the chargeback came.
    """
    rows = np.flatnonzero(labels.positive & (rng.random(len(labels)) < share))
    days = np.minimum(rng.lognormal(np.log(REVERSAL_MEDIAN), REVERSAL_SIGMA, len(rows)), MAX_REVERSAL_DAYS)
    taken = labels.take(rows)
    reversals = replace(
        taken, positive=np.zeros(len(rows), dtype=np.bool_), label_time_ms=taken.label_time_ms + (days * DAY_MS).astype(np.int64)
    )
    return concat_labels([labels, reversals])
