"""The functions that the catalogue's formulas call. Compiled into ``features.transform.generated``; each is also plain
arithmetic.

Amounts are integer minor units; ``count`` and ``total`` are over a window with the event itself in it. A spread is
``n * sum(amount^2) - sum(amount)^2`` = n^2 * variance, taken from exact integers: equal amounts give exactly zero.
"""

from __future__ import annotations

import math

from features.base.compiled import compiled

#: Minor units in a currency unit. Currencies without two decimals keep their own scale; a model learns per currency mix.
MINOR = 100.0
#: Two payments in the same second still need a speed.
SHORTEST_S = 1.0
#: Amounts above this many medians are left out of the robust mean, and above this many robust means count as high.
HIGH = 2.6
#: What a card without history is presumed to spend, in minor units, and how many transactions this counts for.
PRIOR_AMOUNT = 5_000.0
PRIOR_COUNT = 2.0
#: The share of fraud that an unknown terminal is presumed to have, and how many outcomes this counts for.
PRIOR_RISK = 0.01
PRIOR_OUTCOMES = 1.0


@compiled
def deviation(count: int, spread: float) -> float:
    """Standard deviation (population) of the window with the event, currency units. ``spread`` is count^2 * variance."""
    return math.sqrt(spread) / count / MINOR


@compiled
def ratio_to_others(count: int, total: int, amount: int) -> float:
    """Amount over the mean of the others in the window; 1 where there is none, or their mean is zero."""
    others = total - amount
    return amount * (count - 1) / others if count > 1 and others > 0 else 1.0


@compiled
def zscore(count: int, total: int, others_spread: float, amount: int) -> float:
    """(amount - mean of the others) / their deviation; 0 where there are fewer than two, or all are equal."""
    return (count * amount - total) / math.sqrt(others_spread) if others_spread > 0.0 else 0.0


@compiled
def robust_mean(total: int, count: int) -> float:
    """Mean of the ordinary amounts, drawn towards PRIOR_AMOUNT while they are few; minor units."""
    return (total + PRIOR_COUNT * PRIOR_AMOUNT) / (count + PRIOR_COUNT)


@compiled
def share(part: int, count: int) -> float:
    """``part`` of ``count``, 0 where there is none."""
    return part / count if count > 0 else 0.0


@compiled
def risk(outcomes: int, frauds: int) -> float:
    """Share of fraud, drawn towards PRIOR_RISK while outcomes are few."""
    return (frauds + PRIOR_OUTCOMES * PRIOR_RISK) / (outcomes + PRIOR_OUTCOMES)


@compiled
def over(amount: int, usual: float) -> float:
    """Amount in minor units over ``usual`` in currency units; 1 where that is unknown (NaN) or not above zero."""
    return amount / MINOR / usual if usual > 0.0 else 1.0


@compiled
def known(value: float) -> float:
    """The value, or -1 where it is not known (NaN)."""
    return -1.0 if math.isnan(value) else value
