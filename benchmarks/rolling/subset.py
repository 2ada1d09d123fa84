"""The features that the peers compute too, by the names and meanings of ``features.catalogue.vector``.

For each window W: count, sum, mean, max and standard deviation of the amounts in (t - W, t], this transaction included; the
amount over the mean of the earlier ones in it, and its distance from that mean in their standard deviations.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

WINDOWS = {
    "10m": timedelta(minutes=10),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
AGGREGATES = ("count", "sum", "mean", "max", "std")
#: How the amount relates to the earlier ones. The peers derive them from the aggregates, which costs them next to nothing.
RELATIONS = ("ratio_to_mean", "zscore")

Floats = NDArray[np.float64]


def names() -> list[str]:
    """All columns of the subset, window by window."""
    return [f"{statistic}_{window}" for window in WINDOWS for statistic in (*AGGREGATES, *RELATIONS)]


def relations(amount: Floats, count: Floats, mean: Floats, std: Floats) -> tuple[Floats, Floats]:
    """Ratio and z-score against the earlier ones, [n] each, from what includes this transaction (population deviation).

    The earlier ones' mean and deviation come from Welford's update run backwards, so that no second window is needed. NaN where
    nothing came earlier, or nothing that differs.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        earlier = (mean * count - amount) / (count - 1)
        squares = std * std * count - (amount - earlier) * (amount - mean)
        deviation = np.sqrt(np.maximum(squares, 0.0) / (count - 1))
        ratio: Floats = np.where(earlier > 0, amount / earlier, np.nan)
        zscore: Floats = np.where(deviation > 0, (amount - earlier) / deviation, np.nan)
    return ratio, zscore
