"""How much each row counts in training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS


def row_weights(
    event_time_ms: NDArray[np.int64],
    positive: NDArray[np.bool_],
    known: NDArray[np.bool_],
    end_ms: int,
    half_life_days: float,
    delay_ms: int,
) -> NDArray[np.float32]:
    """Return the weight of each row, float32 [n], mean 1.

    weight = 2^(-age / half life) * trust * class, where
    trust is 1 for a known outcome and min(1, age / label delay) for an event presumed negative (the younger, the less its
    silence says), and class lifts the positives by sqrt(negative / positive) of the weights so far: enough to be learned from,
    not so much that every odd event becomes an alert.
    """
    age = np.maximum(end_ms - event_time_ms, 0).astype(np.float64)
    weight = np.exp2(-age / (half_life_days * DAY_MS))
    if delay_ms > 0:
        weight *= np.where(known, 1.0, np.minimum(1.0, age / delay_ms))
    of_positives, of_negative = float(weight[positive].sum()), float(weight[~positive].sum())
    if of_positives > 0 and of_negative > 0:
        weight = np.where(positive, weight * np.sqrt(max(1.0, of_negative / of_positives)), weight)
    mean = float(weight.mean()) if len(weight) else 0.0
    return (weight / mean if mean > 0 else np.ones_like(weight)).astype(np.float32)


def thin(positive: NDArray[np.bool_], max_rows: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], float]:
    """Return the indices of at most ``max_rows`` rows, in order: every positive, and negative ones by chance; with the factor by
    which a kept negative row's weight must grow to stand for those left out."""
    negative = np.flatnonzero(~positive)
    room = max(max_rows - int(positive.sum()), 1)
    if len(negative) <= room:
        return np.arange(len(positive)), 1.0
    kept = rng.choice(negative, room, replace=False)
    return np.sort(np.concatenate([np.flatnonzero(positive), kept])), len(negative) / room
