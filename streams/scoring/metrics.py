"""Declare what the scorer says of itself to Prometheus: its state, and the scores that it publishes."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from streams.engine.batch_histogram import BatchHistogram
from streams.kafka.metrics import SECONDS

STATE_BYTES = Gauge("driftloop_state_bytes", "Bytes of the scorer's state", ["partition"])
STATE_SUBJECTS = Gauge("driftloop_state_subjects", "Subjects in the scorer's state", ["partition"])
DUPLICATES = Counter("driftloop_duplicates_total", "Transactions dropped because their id and body came before")
LATE = Counter("driftloop_late_transactions_total", "Transactions further behind the others than is allowed for")
COLD = Counter("driftloop_cold_scores_total", "Scores of subjects whose history was lost in part")
SCORES = Counter("driftloop_scores_total", "Scores published", ["decision"])
DEGRADED = Counter(
    "driftloop_degraded_scores_total",
    "Scores made with the last known profiles, because Redis did not answer, or by rules, because the model server did not",
)
MODEL_CALL = Histogram("driftloop_model_call_seconds", "One call to the model server", buckets=SECONDS)
MODEL_UNAVAILABLE = Counter("driftloop_model_unavailable_total", "Calls that the model server did not answer or refused")
PROFILE_READ = Histogram("driftloop_profile_read_seconds", "One batched read of profiles from Redis", buckets=SECONDS)
SCORE_VALUE = BatchHistogram(
    "driftloop_score_value", "Scores by value", buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
)
