"""Declare what the label joiner says of itself to Prometheus."""

from __future__ import annotations

from prometheus_client import Counter

#: By kind (``streams.labels.verdict.kind``), and ``forgotten``: negative, of an event that is remembered no more.
CORRECTIONS = Counter(
    "driftloop_label_corrections_total", "Labels of events that had a label or an outcome already, by what they did", ["kind"]
)
UNMATCHED = Counter("driftloop_labels_unmatched_total", "Labels whose event did not come, under their subject, within the delay")
IGNORED = Counter("driftloop_labels_ignored_total", "Labels of events that have no outcome: those of another kind than the first")
