"""Small data that any family can learn from."""

from __future__ import annotations

import numpy as np

from features.base.durations import DAY_MS
from features.catalogue.vector import FEATURES, INDEX, WIDTH
from retrain.training.dataset import Dataset

DAYS = 40
FRAUD_SHARE = 0.04
#: Never known, the same in every row, and nothing in every row.
UNKNOWN, CONSTANT, ZERO = "distance_from_home", "weekend", "night"


def learnable(rows: int, seed: int = 1) -> Dataset:
    """Fraud lies in the largest amounts, and half as often in the fastest payments; what else there is says nothing.

    Three columns hold one value each, as where a producer sends no places.
    """
    rng = np.random.default_rng(seed)
    vectors = rng.exponential(5.0, (rows, WIDTH)).astype(np.float32)
    vectors[:, INDEX[UNKNOWN]] = FEATURES[INDEX[UNKNOWN]].missing
    vectors[:, INDEX[CONSTANT]] = 1.0
    vectors[:, INDEX[ZERO]] = 0.0
    signal = vectors[:, INDEX["amount"]] + 0.5 * vectors[:, INDEX["count_1h"]]
    positive = signal > np.quantile(signal, 1 - FRAUD_SHARE)
    time = np.sort(rng.integers(0, DAYS * DAY_MS, rows))
    subject = rng.integers(0, 2**32, rows).astype(np.uint32)
    known = rng.random(rows) < 0.9
    return Dataset(vectors, time, np.full(rows, 1000), positive & known, known, subject)


def odd_vectors(data: Dataset) -> Dataset:
    """Of the data, the first rows: all missing, nothing at all, absurd amounts, what was constant is not."""
    sample = data.take(np.arange(500))
    vectors = sample.vectors.copy()
    vectors[0] = [feature.missing for feature in FEATURES]
    vectors[1], vectors[2], vectors[3] = 0.0, 1e9, -1.0
    vectors[4:100, INDEX[CONSTANT]] = 0.0
    vectors[4:100, INDEX[UNKNOWN]] = 12.5
    return Dataset(vectors, sample.event_time_ms, sample.measure, sample.positive, sample.known, sample.subject)
