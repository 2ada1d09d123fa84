"""The batch histogram says what prometheus_client's own says of the same values."""

from __future__ import annotations

import numpy as np
from prometheus_client import CollectorRegistry, Histogram

from streams.engine.batch_histogram import BatchHistogram

BUCKETS = (0.1, 0.5, 1.0)


def test_it_counts_as_the_plain_histogram_does() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batch, plain = BatchHistogram("h", "a test", BUCKETS, ours), Histogram("h", "a test", buckets=BUCKETS, registry=theirs)
    for values in (np.array([0.0, 0.1, 0.100001, 0.5, 2.0]), np.array([1.0]), np.zeros(0)):
        batch.observe(values)
        for value in values.tolist():
            plain.observe(value)
    for name, labels in [("h_count", {}), ("h_sum", {}), *(("h_bucket", {"le": le}) for le in ("0.1", "0.5", "1.0", "+Inf"))]:
        assert ours.get_sample_value(name, labels) == theirs.get_sample_value(name, labels), (name, labels)
