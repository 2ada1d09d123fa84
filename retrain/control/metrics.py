"""The Prometheus metrics of the control plane."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

RUNS = Counter("driftloop_runs_total", "Training runs that began or ended, by state", ["state"])
ACTIVE_RUNS = Gauge("driftloop_active_runs", "Training runs in progress")
DECLINED = Counter("driftloop_declined_total", "Retrain requests that the policy declined", ["reason"])
CHAMPION = Gauge("driftloop_champion_version_info", "1 for the version announced as champion", ["version"])
