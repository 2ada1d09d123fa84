"""The Prometheus metrics of the processors, defined once; names start with ``driftloop_``."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from streams.engine.batch_histogram import BatchHistogram

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_SIZES = (1, 10, 50, 100, 500, 1000, 2000, 4000, 10_000, 50_000)

CONSUMED = Counter("driftloop_records_consumed_total", "Records taken from a topic", ["processor", "topic"])
PRODUCED = Counter("driftloop_records_produced_total", "Records written to a topic", ["processor", "topic"])
DLQ = Counter("driftloop_dlq_records_total", "Records sent to the dead letter queue", ["processor", "error"])
BATCH_SECONDS = Histogram("driftloop_batch_seconds", "One micro-batch, from poll to commit", ["processor"], buckets=_SECONDS)
BATCH_RECORDS = Histogram("driftloop_batch_records", "Records in one micro-batch", ["processor"], buckets=_SIZES)
EVENT_TIME = Gauge("driftloop_event_time_seconds", "Newest event time seen, as Unix time", ["processor"])
LAG = Gauge(
    "driftloop_lag_records", "Offsets from what was committed to the partition's end", ["processor", "topic", "partition"]
)

REBALANCES = Counter("driftloop_rebalances_total", "Changes of the partitions in hand", ["processor", "what"])
PARTITIONS = Gauge("driftloop_partitions", "Partitions in hand", ["processor"])
RESTORE_SECONDS = Histogram(
    "driftloop_restore_seconds", "Bringing back the state of newly assigned partitions", ["processor"], buckets=_SECONDS
)
RESTORED = Counter("driftloop_restored_records_total", "Records read again to bring the state back", ["processor"])
WAITING = Gauge("driftloop_waiting", "1 while the stream waits for something that is away", ["processor"])
EVENT_TIME_LAG = Gauge(
    "driftloop_event_time_lag_seconds", "Wall clock less the newest event time seen: how old what comes out is", ["processor"]
)

STATE_BYTES = Gauge("driftloop_state_bytes", "Bytes of the scorer's state", ["partition"])
STATE_CARDS = Gauge("driftloop_state_cards", "Cards in the scorer's state", ["partition"])
DUPLICATES = Counter("driftloop_duplicates_total", "Transactions dropped because their id and body came before")
LATE = Counter("driftloop_late_transactions_total", "Transactions further behind the others than is allowed for")
COLD = Counter("driftloop_cold_scores_total", "Scores of cards whose history was lost in part")
TRIMMED = Counter("driftloop_log_trimmed_total", "Partitions whose log had been cut off before it was read", ["processor"])

SCORES = Counter("driftloop_scores_total", "Scores published", ["decision"])
DEGRADED = Counter(
    "driftloop_degraded_scores_total",
    "Scores made with the last known profiles, because Redis did not answer, or by rules, because the model server did not",
)
MODEL_CALL = Histogram("driftloop_model_call_seconds", "One call to the model server", buckets=_SECONDS)
MODEL_UNAVAILABLE = Counter("driftloop_model_unavailable_total", "Calls that the model server did not answer or refused")
PROFILE_READ = Histogram("driftloop_profile_read_seconds", "One batched read of profiles from Redis", buckets=_SECONDS)
SCORE_VALUE = BatchHistogram(
    "driftloop_score_value", "Scores by value", buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
)

DRIFT_FEATURE = Gauge("driftloop_drift_feature_score", "Drift score of a feature in the newest window", ["feature"])
DRIFT_SHARE = Gauge("driftloop_drift_share", "Share of watched features that drifted in the newest window")
DRIFT_WINDOWS = Counter("driftloop_drift_windows_total", "Windows looked at, by verdict", ["verdict"])
PERFORMANCE_AP = Gauge("driftloop_performance_ap", "Average precision over the newest labelled days")
PERFORMANCE_ERROR = Gauge("driftloop_performance_error", "ADWIN's mean of the champion's error")
SKEW_VALUES = Gauge("driftloop_skew_values", "Values of the newest checked day that batch computes otherwise", ["source"])
SKEW_LARGEST = Gauge("driftloop_skew_largest", "Largest difference between a served value and batch's", ["source"])
SKEW_VECTORS = Gauge("driftloop_skew_checked_vectors", "Served vectors of the newest checked day that were computed again")
SKEW_LAST_DAY = Gauge("driftloop_skew_last_day", "Beginning of the newest checked day, as Unix time")
SKEW_FAILURES = Counter("driftloop_skew_failures_total", "Checks that failed")

RETRAIN_REQUESTS = Counter("driftloop_retrain_requests_total", "Retrain requests published", ["cause"])
