"""Declare what the drift monitor and the check for skew say of themselves to Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

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
