"""Small random histories in the Handbook's shape."""

from __future__ import annotations

import numpy as np

from benchmarks.handbook.data import Transactions
from features.base.durations import DAY_MS

#: A Sunday.
DAY_0 = 17_622


def history(seed: int, n: int = 400, days: int = 60, subjects: int = 7, counterparts: int = 5) -> Transactions:
    """``n`` transactions to the second, with ties, over ``days`` days from DAY_0 on; one in six is fraud."""
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(0, days * 86_400, n))
    tied = rng.random(n) < 0.1
    seconds[1:][tied[1:]] = seconds[:-1][tied[1:]]
    return Transactions(
        time_ms=np.sort(DAY_0 * DAY_MS + seconds * 1000),
        subject=rng.integers(0, subjects, n),
        counterpart=rng.integers(0, counterparts, n),
        measure=rng.integers(1, 30_000, n),
        positive=rng.random(n) < 1 / 6,
    )


def first(transactions: Transactions, n: int) -> Transactions:
    """The history cut off after ``n`` transactions."""
    part = slice(0, n)
    return Transactions(
        transactions.time_ms[part],
        transactions.subject[part],
        transactions.counterpart[part],
        transactions.measure[part],
        transactions.positive[part],
    )
