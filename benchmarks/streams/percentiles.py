"""Percentiles of latencies, without interpolation: a value that was measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHARES = (0.50, 0.95, 0.99, 0.999)


def percentiles(values: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """p50, p95, p99, p99.9 of ``values`` [n]: the smallest one that so large a share does not exceed.

    Raises ValueError for n = 0.
    """
    if not len(values):
        raise ValueError("there are no latencies; nothing was received")
    quantiles = np.quantile(values, SHARES, method="inverted_cdf")
    p50, p95, p99, p999 = (float(value) for value in quantiles)
    return p50, p95, p99, p999


def latencies_ms(sent_ns: dict[str, int], received: list[tuple[str, int]]) -> NDArray[np.float64]:
    """From send to receipt of every id, ms, in the order of receipt.

    Raises ValueError, naming how many, where some never came or came twice.
    """
    ids = [name for name, _ in received]
    if len(ids) != len(set(ids)) or set(ids) != set(sent_ns):
        lost = len(set(sent_ns) - set(ids))
        raise ValueError(f"{len(sent_ns)} were sent, {len(ids)} received, {lost} never came; the two must be the same, once each")
    return np.array([(at - sent_ns[name]) / 1e6 for name, at in received])
