"""Average precision from counts by score: bounded memory, and exact but for scores that share a bin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Bins of equal width in log-odds from -12 to 12: fine where scores crowd, at both ends.
BINS = 1024
_RANGE = 12.0


def bins_of(scores: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the bin of each of ``scores`` in [0, 1]."""
    clipped = np.clip(scores, 1e-6, 1.0 - 1e-6)
    odds = np.log(clipped / (1.0 - clipped))
    return np.clip((odds + _RANGE) / (2 * _RANGE) * BINS, 0, BINS - 1).astype(np.intp)


def average_precision(negative: NDArray[np.int64], positive: NDArray[np.int64]) -> float:
    """Return the sum over bins, best first, of precision times the gain in recall; counts [BINS]. nan without positives."""
    positives = int(positive.sum())
    if positives == 0:
        return float("nan")
    true_positives = np.cumsum(positive[::-1])
    flagged = true_positives + np.cumsum(negative[::-1])
    precision = true_positives / np.maximum(flagged, 1)
    return float(np.sum(precision * positive[::-1]) / positives)
