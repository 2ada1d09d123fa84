"""Comparing dashboards with what processes expose."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from dashboards.check import ANY_LABEL, check_live, exposed_metrics, missing_metrics, wrong_processes
from features.base.sections import Ports
from features.base.settings import Settings
from streams.engine.health_page import serve


def _dashboard(expr: str, legend: str = "") -> dict[str, Any]:
    return {"panels": [{"title": "panel", "targets": [{"expr": expr, "legendFormat": legend}]}]}


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("c_total", "counter", ["x"], registry=registry).labels("1").inc()
    Counter("silent_total", "no sample yet", ["x"], registry=registry)
    Gauge("g", "gauge", registry=registry).set(1)
    Histogram("h", "histogram", ["x"], registry=registry).labels("1").observe(1)
    return registry


def test_exposed_metrics(registry: CollectorRegistry) -> None:
    exposed = exposed_metrics(generate_latest(registry).decode())
    assert exposed["c_total"] == {"x"}
    assert exposed["silent_total"] == {ANY_LABEL}
    assert exposed["g"] == set()
    assert exposed["h_bucket"] == {"x", "le"}
    assert exposed["h_sum"] == exposed["h_count"] == {"x"}
    assert "h" not in exposed
    assert "c" not in exposed


@pytest.mark.parametrize(
    ("expr", "legend", "problems"),
    [
        ('sum by (x) (rate(c_total{process="p"}[1m]))', "{{x}}", []),
        ('up{job="driftloop"}', "{{process}}", []),
        ("histogram_quantile(0.9, rate(h_bucket[1m]))", "", []),
        ("sum by (anything) (silent_total)", "{{anything}}", []),
        ("c", "", ["panel: no process exposes c"]),
        ("rate(c_total[1m]) / rate(d_total[1m])", "", ["panel: no process exposes d_total"]),
        ("rate(h[1m])", "", ["panel: no process exposes h"]),
        ("c_total{y='1'}", "", ["panel: c_total has no label y"]),
        ("sum by (le) (h_sum)", "", ["panel: h_sum has no label le"]),
        ("c_total", "{{version}}", ["panel: the legend shows version, which no series has"]),
    ],
)
def test_missing_metrics(registry: CollectorRegistry, expr: str, legend: str, problems: list[str]) -> None:
    exposed = exposed_metrics(generate_latest(registry).decode())
    assert missing_metrics(_dashboard(expr, legend), exposed) == problems


def test_a_query_that_cannot_be_read_is_a_problem() -> None:
    (problem,) = missing_metrics(_dashboard("rate(c_total)"), {"c_total": set()})
    assert problem.startswith("panel: rate(c_total) is no PromQL: ")


def test_a_metric_of_another_process_is_a_problem() -> None:
    by_process = {"scorer": {"a": set[str]()}, "control": {"b": set[str]()}}
    assert wrong_processes(_dashboard('a{process="scorer"} + b'), by_process) == []
    assert wrong_processes(_dashboard('b{process="scorer"}'), by_process) == ["panel: process scorer does not expose b"]
    assert wrong_processes(_dashboard('a{process="ghost"}'), by_process) == ["panel: process ghost does not expose a"]


def test_check_live_says_what_a_platform_lacks(registry: CollectorRegistry) -> None:
    server = serve(0, list, registry)
    try:
        problems = check_live(Settings(ports=Ports(metrics={"scorer": server.server_port, "control": 0})))
    finally:
        server.shutdown()
        server.server_close()
    assert "loop.json: Lag: no process exposes driftloop_lag_records" in problems
    assert any(line.startswith("drift.json: ") for line in problems)
