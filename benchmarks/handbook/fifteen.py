"""The Handbook's own 15 features, by the Handbook's own definition.

The card windows are this project's (a window of w days at time t is ``(t - w, t]``, the event included, in both). The terminal
windows are not: the Handbook's roll to the second, ``(t - delay - w, t - delay]`` for w = 1, 7, 30 days, and their risk is the
plain share of frauds, 0 where there is no transaction; this project's terminal features count whole days.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.handbook.data import Transactions
from features.base.durations import DAY_MS, HOUR_MS
from features.catalogue.vector import INDEX

TERMINAL_WINDOWS = (1, 7, 30)
#: In the order of the Handbook, which a random forest with a fixed seed depends on.
NAMES = (
    "amount",
    "weekend",
    "night",
    *(f"card_{what}_{days}d" for days in (1, 7, 30) for what in ("count", "mean")),
    *(f"terminal_{what}_{days}d" for days in TERMINAL_WINDOWS for what in ("count", "risk")),
)


def fifteen(transactions: Transactions, vectors: NDArray[np.float32], delay_days: int) -> NDArray[np.float32]:
    """The 15 features, float32 [n, 15]; ``vectors`` [n, WIDTH] are this project's, of the same rows."""
    night = transactions.time_ms % DAY_MS // HOUR_MS <= 6
    subject = [INDEX[f"{what}_{days}d"] for days in (1, 7, 30) for what in ("count", "mean")]
    columns = [vectors[:, INDEX["amount"]], vectors[:, INDEX["weekend"]], night, *vectors[:, subject].T]
    return np.column_stack([*columns, terminal_columns(transactions, delay_days)]).astype(np.float32)


def terminal_columns(transactions: Transactions, delay_days: int) -> NDArray[np.float64]:
    """Count and risk of the terminal over 1, 7 and 30 days, shifted back by the delay: [n, 6]."""
    n = len(transactions)
    if n == 0:
        return np.zeros((0, 2 * len(TERMINAL_WINDOWS)))
    delay = delay_days * DAY_MS
    # One sorted key for all terminals: between two of them lies a gap that no window can cross.
    since = transactions.time_ms - transactions.time_ms.min()
    key = transactions.counterpart * (int(since.max()) + delay + (max(TERMINAL_WINDOWS) + 1) * DAY_MS) + since
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    positives = np.concatenate([[0], np.cumsum(transactions.positive[order])])
    end = np.searchsorted(sorted_key, key - delay, side="right")
    columns = []
    for days in TERMINAL_WINDOWS:
        begin = np.searchsorted(sorted_key, key - delay - days * DAY_MS, side="right")
        count = (end - begin).astype(np.float64)
        risk = np.divide(positives[end] - positives[begin], count, out=np.zeros(n), where=count > 0)
        columns += [count, risk]
    return np.column_stack(columns)
