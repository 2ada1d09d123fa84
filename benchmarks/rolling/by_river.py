"""The subset by river's rolling statistics, event by event. river has no maximum over a time window, so max is left out."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import datetime
from typing import Any

from river import stats, utils

from benchmarks.rolling.subset import WINDOWS


def names(window: str) -> list[str]:
    """What a step gives for one window, in its order."""
    return [f"{statistic}_{window}" for statistic in ("count", "sum", "mean", "std", "ratio_to_mean", "zscore")]


class OneEach:
    """As river's documentation shows it: one ``TimeRolling`` for each statistic of each window. State by card."""

    def __init__(self) -> None:
        self._subjects: defaultdict[int, list[tuple[Any, Any, Any]]] = defaultdict(
            lambda: [
                (
                    utils.TimeRolling(stats.Sum, period=period),
                    utils.TimeRolling(stats.Mean, period=period),
                    utils.TimeRolling(stats.Var, period=period, ddof=0),
                )
                for period in WINDOWS.values()
            ]
        )

    def step(self, subject: int, time: datetime, amount: float) -> list[float]:
        """Take one transaction in; what ``names`` gives for each window, NaN where there is nothing earlier."""
        features: list[float] = []
        for total, mean, variance in self._subjects[subject]:
            total.update(amount, t=time)
            mean.update(amount, t=time)
            variance.update(amount, t=time)
            features += _columns(amount, mean.n, total.get(), mean.get(), variance.get())
        return features


class VarianceOnly:
    """The shortcut of somebody who has read river's source: the variance alone knows count, mean and so the sum as well."""

    def __init__(self) -> None:
        self._subjects: defaultdict[int, list[Any]] = defaultdict(
            lambda: [utils.TimeRolling(stats.Var, period=period, ddof=0) for period in WINDOWS.values()]
        )

    def step(self, subject: int, time: datetime, amount: float) -> list[float]:
        """As ``OneEach.step``."""
        features: list[float] = []
        for variance in self._subjects[subject]:
            variance.update(amount, t=time)
            mean = variance.mean
            features += _columns(amount, mean.n, mean.get() * mean.n, mean.get(), variance.get())
        return features


def _columns(amount: float, count: float, total: float, mean: float, variance: float) -> tuple[float, ...]:
    std = math.sqrt(max(variance, 0.0))
    if count < 2:
        return count, total, mean, std, math.nan, math.nan
    earlier = (total - amount) / (count - 1)
    squares = variance * count - (amount - earlier) * (amount - mean)
    ratio = amount / earlier if earlier > 0 else math.nan
    deviation = math.sqrt(max(squares, 0.0) / (count - 1))
    zscore = (amount - earlier) / deviation if deviation > 0 else math.nan
    return count, total, mean, std, ratio, zscore
