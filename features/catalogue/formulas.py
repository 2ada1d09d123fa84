"""The functions that the catalogue's formulas call. Compiled into ``features.transform.generated``; each is also plain
arithmetic.

Measures are integers in the smallest unit; ``count`` and ``total`` are over a window with the event itself in it. A spread is
``n * sum(measure^2) - sum(measure)^2`` = n^2 * variance, taken from exact integers: equal measures give exactly zero.
"""

from __future__ import annotations

import math

from features.base.active import DOMAIN
from features.base.compiled import compiled

_NUMBERS = DOMAIN.parameters
#: See ``features.base.domain.Parameters``.
UNIT = _NUMBERS.unit
SHORTEST_S = _NUMBERS.shortest_s
HIGH = _NUMBERS.high
PRIOR_MEASURE = _NUMBERS.prior_measure
PRIOR_COUNT = _NUMBERS.prior_count
PRIOR_SHARE = _NUMBERS.prior_share
PRIOR_OUTCOMES = _NUMBERS.prior_outcomes


@compiled
def deviation(count: int, spread: float) -> float:
    """Return the standard deviation (population) of the window with the event, in units. ``spread`` is count^2 * variance."""
    return math.sqrt(spread) / count / UNIT


@compiled
def ratio_to_others(count: int, total: int, measure: int) -> float:
    """Return the measure over the mean of the others in the window; 1 where there is none, or their mean is zero."""
    others = total - measure
    return measure * (count - 1) / others if count > 1 and others > 0 else 1.0


@compiled
def zscore(count: int, total: int, others_spread: float, measure: int) -> float:
    """Return (measure - mean of the others) / their deviation; 0 where there are fewer than two, or all are equal."""
    return (count * measure - total) / math.sqrt(others_spread) if others_spread > 0.0 else 0.0


@compiled
def robust_mean(total: int, count: int) -> float:
    """Return the mean of the ordinary measures, drawn towards PRIOR_MEASURE while they are few; in the smallest unit."""
    return (total + PRIOR_COUNT * PRIOR_MEASURE) / (count + PRIOR_COUNT)


@compiled
def share(part: int, count: int) -> float:
    """Return ``part`` of ``count``, 0 where there is none."""
    return part / count if count > 0 else 0.0


@compiled
def risk(outcomes: int, positives: int) -> float:
    """Return the share of positive, drawn towards PRIOR_SHARE while outcomes are few."""
    return (positives + PRIOR_OUTCOMES * PRIOR_SHARE) / (outcomes + PRIOR_OUTCOMES)


@compiled
def over(measure: int, usual: float) -> float:
    """Return the measure in its smallest unit over ``usual`` in units; 1 where that is unknown (NaN) or not above zero."""
    return measure / UNIT / usual if usual > 0.0 else 1.0


@compiled
def known(value: float) -> float:
    """Return the value, or -1 where it is not known (NaN)."""
    return -1.0 if math.isnan(value) else value
