"""How much each row counts in training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS


def row_weights(
    event_time_ms: NDArray[np.int64],
    is_fraud: NDArray[np.bool_],
    known: NDArray[np.bool_],
    end_ms: int,
    half_life_days: float,
    delay_ms: int,
) -> NDArray[np.float32]:
    """Weight of each row, float32 [n], mean 1.

    weight = 2^(-age / half life) * trust * class, where
    trust is 1 for a known outcome and min(1, age / label delay) for an event presumed genuine (the younger, the less its
    silence says), and class lifts the frauds by sqrt(genuine / fraud) of the weights so far: enough to be learned from,
    not so much that every odd event becomes an alert.
    """
    age = np.maximum(end_ms - event_time_ms, 0).astype(np.float64)
    weight = np.exp2(-age / (half_life_days * DAY_MS))
    if delay_ms > 0:
        weight *= np.where(known, 1.0, np.minimum(1.0, age / delay_ms))
    fraud, genuine = float(weight[is_fraud].sum()), float(weight[~is_fraud].sum())
    if fraud > 0 and genuine > 0:
        weight = np.where(is_fraud, weight * np.sqrt(max(1.0, genuine / fraud)), weight)
    mean = float(weight.mean()) if len(weight) else 0.0
    return (weight / mean if mean > 0 else np.ones_like(weight)).astype(np.float32)


def thin(is_fraud: NDArray[np.bool_], max_rows: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], float]:
    """Indices of at most ``max_rows`` rows, in order: every fraud, and genuine ones by chance; with the factor by which a
    kept genuine row's weight must grow to stand for those left out."""
    genuine = np.flatnonzero(~is_fraud)
    room = max(max_rows - int(is_fraud.sum()), 1)
    if len(genuine) <= room:
        return np.arange(len(is_fraud)), 1.0
    kept = rng.choice(genuine, room, replace=False)
    return np.sort(np.concatenate([np.flatnonzero(is_fraud), kept])), len(genuine) / room
