"""Declare what the label joiner says of itself to Prometheus."""

from __future__ import annotations

from prometheus_client import Counter

IGNORED = Counter("driftloop_labels_ignored_total", "Labels of events that have no outcome: those of another kind than the first")
