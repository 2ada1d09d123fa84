"""Declare what Kafka's transactions say of themselves to Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

#: Upper bounds of all histograms of times.
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

TRANSACTION_SECONDS = Histogram(
    "driftloop_transaction_seconds", "One Kafka transaction, from begin to commit", ["processor"], buckets=SECONDS
)
ABORTS = Counter("driftloop_aborted_transactions_total", "Transactions given up; the state was rebuilt after each", ["processor"])
