"""Declare what each shell says of itself to Prometheus, by processor: batches, partitions, lag, and snapshots."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from streams.kafka.metrics import SECONDS

_SIZES = (1, 10, 50, 100, 500, 1000, 2000, 4000, 10_000, 50_000)

CONSUMED = Counter("driftloop_records_consumed_total", "Records taken from a topic", ["processor", "topic"])
PRODUCED = Counter("driftloop_records_produced_total", "Records written to a topic", ["processor", "topic"])
MOVED = Counter(
    "driftloop_moved_records_total",
    "Records moved to the partition of their subject, by how they came elsewhere and by the client that says its name",
    ["topic", "came_by", "client"],
)
DLQ = Counter("driftloop_dlq_records_total", "Records sent to the dead letter queue", ["processor", "error"])
BATCH_SECONDS = Histogram("driftloop_batch_seconds", "One micro-batch, from poll to commit", ["processor"], buckets=SECONDS)
BATCH_RECORDS = Histogram("driftloop_batch_records", "Records in one micro-batch", ["processor"], buckets=_SIZES)
EVENT_TIME = Gauge("driftloop_event_time_seconds", "Newest event time seen, as Unix time", ["processor"])
LAG = Gauge(
    "driftloop_lag_records", "Offsets from what was committed to the partition's end", ["processor", "topic", "partition"]
)

REBALANCES = Counter("driftloop_rebalances_total", "Changes of the partitions in hand", ["processor", "what"])
PARTITIONS = Gauge("driftloop_partitions", "Partitions in hand", ["processor"])
RESTORE_SECONDS = Histogram(
    "driftloop_restore_seconds", "Bringing back the state of newly assigned partitions", ["processor"], buckets=SECONDS
)
RESTORED = Counter("driftloop_restored_records_total", "Records read again to bring the state back", ["processor"])
WAITING = Gauge("driftloop_waiting", "1 while the stream waits for something that is away", ["processor"])
EVENT_TIME_LAG = Gauge(
    "driftloop_event_time_lag_seconds", "Wall clock less the newest event time seen: how old what comes out is", ["processor"]
)
TRIMMED = Counter("driftloop_log_trimmed_total", "Partitions whose log had been cut off before it was read", ["processor"])

SNAPSHOT_AGE = Gauge(
    "driftloop_snapshot_age_seconds",
    "Time since the newest whole snapshot of this partition was begun",
    ["processor", "partition"],
)
SNAPSHOT_BYTES = Gauge("driftloop_snapshot_bytes", "Size of the newest snapshot of this partition", ["processor", "partition"])
SNAPSHOT_SECONDS = Histogram("driftloop_snapshot_seconds", "From the begin of a snapshot until it is written", ["processor"])
SNAPSHOT_PAUSE = Histogram(
    "driftloop_snapshot_pause_seconds",
    "How long the begin or one step of a copy kept the stream waiting",
    ["processor"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0),
)
SNAPSHOT_FAILURES = Counter("driftloop_snapshot_failures_total", "Snapshots that could not be written or read", ["processor"])
