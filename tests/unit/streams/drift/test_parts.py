"""The small parts: watermark, sample, intervals, average precision."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from features.catalogue import vector
from streams.drift import intervals
from streams.drift.performance import version_quality
from streams.drift.performance.precision import BINS, average_precision, bins_of
from streams.drift.sample import Sample, priorities
from streams.drift.watermark import WAIT_RECORDS, Watermark


def test_the_slowest_partition_holds_the_watermark() -> None:
    mark = Watermark(2)
    mark.see(0, 5_000, 10)
    seen = [mark.time_ms]
    for newest in (3_000, 2_000):
        mark.see(1, newest, 10)
        seen.append(mark.time_ms)
    assert seen == [None, 3_000, 3_000]


def test_a_partition_that_never_gets_a_record_is_not_waited_for_for_ever() -> None:
    mark = Watermark(2)
    mark.see(0, 5_000, WAIT_RECORDS)
    assert mark.time_ms == 5_000


def test_a_sample_depends_neither_on_order_nor_on_batches() -> None:
    rng = np.random.default_rng(1)
    features = rng.random((3000, vector.WIDTH)).astype(np.float32)
    scores = features[:, 0]
    codes = np.zeros(3000, dtype=np.int32)
    keys = priorities([f"t{i}" for i in range(3000)], 7)
    drawn = []
    for batch, order in ((3000, np.arange(3000)), (170, rng.permutation(3000))):
        sample = Sample(200)
        for i in range(0, 3000, batch):
            at = order[i : i + batch]
            sample.offer(keys[at], features[at], scores[at], codes[at])
        drawn.append(sample.rows()[0])
    assert drawn[0].shape == (200, vector.WIDTH)
    np.testing.assert_array_equal(drawn[0], drawn[1])


def test_priorities_of_numbered_ids_are_uniform() -> None:
    keys = priorities([f"tx-{i:08d}" for i in range(40_000)], 7)
    shares = np.histogram(keys, bins=16, range=(0, 2**32))[0] / len(keys)
    assert np.abs(shares - 1 / 16).max() < 0.005


def test_average_precision_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    positive = rng.random(20_000) < 0.01
    scores = 1 / (1 + np.exp(-(rng.normal(-5, 1.5, 20_000) + 3 * positive)))
    counts = [np.bincount(bins_of(scores[side]), minlength=BINS) for side in (~positive, positive)]
    assert average_precision(counts[0], counts[1]) == pytest.approx(average_precision_score(positive, scores), abs=0.005)


def test_average_precision_without_frauds_is_undefined() -> None:
    assert np.isnan(average_precision(np.ones(BINS, dtype=np.int64), np.zeros(BINS, dtype=np.int64)))


def test_the_examples_in_the_docstrings_hold() -> None:
    for module in (intervals, version_quality):
        assert doctest.testmod(module).failed == 0
