"""Data faults: producers that send something else than what happened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.base.durations import DAY_MS
from streams.publish.batch import Events
from streams.simulate.card_fraud.options import Fault
from streams.simulate.card_fraud.rows import MANUAL


def spoil(transactions: Events, faults: Sequence[Fault], start_ms: int) -> Events:
    """Return the transactions as faulty producers send them; those outside every fault's time are as before.

    ``amount_unit``: cents sent as if they were currency units, 100 times too much. ``location_missing``: no place.
    ``entry_mode_stuck``: always ``manual``.
    """
    for fault in faults:
        begin = start_ms + fault.day * DAY_MS
        hit = (transactions.event_time_ms >= begin) & (transactions.event_time_ms < begin + fault.days * DAY_MS)
        if not hit.any():
            continue
        if fault.kind == "amount_unit":
            amount = np.where(hit, transactions.measure * 100, transactions.measure)
            transactions = transactions.changed(measure=amount)
        elif fault.kind == "location_missing":
            transactions = transactions.changed(
                latitude=np.where(hit, np.nan, transactions.latitude),
                longitude=np.where(hit, np.nan, transactions.longitude),
            )
        else:
            stuck = np.where(hit, MANUAL, transactions.mode).astype(np.int8)
            transactions = transactions.changed(mode=stuck)
    return transactions
