"""Reading the metrics and labels out of PromQL and out of a dashboard."""

from __future__ import annotations

import pytest

from dashboards.promql import PanelQuery, Selector, legend_labels, queries, selectors


def _asked(expr: str) -> list[tuple[str, set[str]]]:
    return [(selector.metric, set(selector.labels)) for selector in selectors(expr)]


@pytest.mark.parametrize(
    ("expr", "asked"),
    [
        ("up", [("up", set())]),
        ('rate(a_total{x="rate", y=~"b|c"}[$__rate_interval])', [("a_total", {"x", "y"})]),
        ("sum by (p, q) (rate(a_total[5m]))", [("a_total", {"p", "q"})]),
        ("sum without (p) (a)", [("a", set())]),
        ("histogram_quantile(0.95, sum by (le, v) (rate(h_bucket[1m])))", [("h_bucket", {"le", "v"})]),
        ("histogram_quantile(0.95, rate(h_bucket[1m]))", [("h_bucket", {"le"})]),
        ("a / on (x) group_left (y) b", [("a", {"x"}), ("b", {"x"})]),
        ("a / ignoring (x) b", [("a", set()), ("b", set())]),
        ("max_over_time(rate(a_total[1m])[1h:1m] offset 5m)", [("a_total", set())]),
        ('{__name__="a", x!="1"} or vector(0)', [("a", {"x"})]),
        ("-(a) + 2 * scalar(max(b))", [("a", set()), ("b", set())]),
        # An outer `by` can only ask for what the inner one leaves.
        ("max by (p) (sum by (p, q) (a))", [("a", {"p", "q"})]),
        # Names of functions, strings and labels are not metrics.
        ('label_replace(a, "sum", "$1", "x", "(rate)")', [("a", set())]),
    ],
)
def test_selectors(expr: str, asked: list[tuple[str, set[str]]]) -> None:
    assert _asked(expr) == asked


def test_equal_matchers_keep_their_values() -> None:
    expected = Selector("a", frozenset({"x", "y"}), (("x", "1"),))
    assert selectors('a{x="1", y!="2"}') == [expected]


@pytest.mark.parametrize("expr", ["rate(a", "rate(a)", "sum by x (a)", "nonsense(a)", "a[1m", ""])
def test_what_prometheus_could_not_read_is_an_error(expr: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        selectors(expr)


def test_legend_labels() -> None:
    assert legend_labels("v {{version}} {{ role }} {x}") == {"version", "role"}


def test_queries_of_panels_rows_and_annotations() -> None:
    dashboard = {
        "annotations": {"list": [{"name": "swap", "expr": "a"}, {"name": "built in"}]},
        "panels": [
            {"title": "text"},
            {"title": "one", "targets": [{"expr": "b", "legendFormat": "{{x}}"}, {"expr": "c"}]},
            {"title": "row", "type": "row", "panels": [{"title": "two", "targets": [{"expr": "d"}]}]},
        ],
    }
    assert queries(dashboard) == [
        PanelQuery("annotation swap", "a"),
        PanelQuery("one", "b", "{{x}}"),
        PanelQuery("one", "c"),
        PanelQuery("two", "d"),
    ]
