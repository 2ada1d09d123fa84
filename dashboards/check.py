"""Do the dashboards ask for what the processes expose? Names and labels of every query against the live ``/metrics``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from dashboards.build import FOLDER
from dashboards.promql import legend_labels, queries, selectors
from dashboards.scrape import LABELS
from features.base.settings import Settings
from features.base.web_client import read_url

#: Stands for the labels of a metric that is declared but has no sample yet, so that its labels cannot be seen.
ANY_LABEL = "*"

#: Series that Prometheus makes itself, one a target.
_PROMETHEUS = {"up": set(LABELS)}

#: The names under which a declared metric's samples appear.
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}

Exposed = dict[str, set[str]]


def exposed_metrics(text: str) -> Exposed:
    """Return the labels of each sample name in an exposition ``text``; ``{ANY_LABEL}`` where it is declared without samples."""
    exposed: Exposed = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            exposed.setdefault(sample.name, set()).update(sample.labels)
        for suffix in _SUFFIXES.get(family.type, ("",)):
            exposed.setdefault(family.name + suffix, {ANY_LABEL})
    return exposed


def missing_metrics(dashboard: dict[str, Any], exposed: Mapping[str, set[str]]) -> list[str]:
    """List what the queries of a dashboard's JSON ask for and ``exposed`` (labels by sample name) does not have, a line each.

    The labels that a scrape adds are taken as given. A query that is no PromQL is a line, too.
    """
    problems = []
    known = {**exposed, **_PROMETHEUS}
    for query in queries(dashboard):
        try:
            asked = selectors(query.expr)
        except ValueError as error:
            problems.append(f"{query.panel}: {query.expr} is no PromQL: {error}")
            continue
        seen: set[str] = set()
        for selector in asked:
            if selector.metric not in known:
                problems.append(f"{query.panel}: no process exposes {selector.metric}")
                seen.add(ANY_LABEL)
                continue
            labels = known[selector.metric] | LABELS
            seen |= labels
            unknown = set() if ANY_LABEL in labels else selector.labels - labels
            problems += [f"{query.panel}: {selector.metric} has no label {label}" for label in sorted(unknown)]
        if ANY_LABEL not in seen:
            lost = sorted(legend_labels(query.legend) - seen)
            problems += [f"{query.panel}: the legend shows {label}, which no series has" for label in lost]
    return problems


def wrong_processes(dashboard: dict[str, Any], by_process: Mapping[str, Exposed]) -> list[str]:
    """List the queries that pick a ``process`` that does not expose the metric, or is not there at all, a line each."""
    problems = []
    for query in queries(dashboard):
        for selector in selectors(query.expr):
            process = dict(selector.equals).get("process")
            if process is not None and selector.metric not in by_process.get(process, {}):
                problems.append(f"{query.panel}: process {process} does not expose {selector.metric}")
    return problems


def scrape(settings: Settings, timeout_s: float = 5.0) -> dict[str, Exposed]:
    """Read what each process of a running platform exposes, by its name. Raises OSError where one does not answer."""
    by_process = {}
    for name, port in settings.ports.metrics.items():
        if port:
            by_process[name] = exposed_metrics(read_url(settings.metrics_url(name), timeout_s).decode())
    return by_process


def check_live(settings: Settings) -> list[str]:
    """Compare the dashboards in the repository with a running platform; return the problems, a line each."""
    by_process = scrape(settings)
    together: Exposed = {}
    for exposed in by_process.values():
        for name, labels in exposed.items():
            together.setdefault(name, set()).update(labels)
    for labels in together.values():
        # One process may have samples of what another one only declares.
        if len(labels) > 1:
            labels.discard(ANY_LABEL)
    problems = []
    for path in sorted(FOLDER.glob("*.json")):
        dashboard = json.loads(path.read_text())
        missing = missing_metrics(dashboard, together)
        problems += [f"{path.name}: {line}" for line in missing or wrong_processes(dashboard, by_process)]
    return problems
