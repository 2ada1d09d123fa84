"""What a dashboard's queries ask Prometheus for: the series of each query and the labels that it needs of them.

The queries are read by a real PromQL parser (promql-parser, a development dependency), so a query that Prometheus could not
read is a ValueError here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: Grafana's own variables, with a value of their kind.
_GRAFANA = {"$__rate_interval": "1m", "$__interval": "30s", "$__range": "1h"}
_LEGEND = re.compile(r"{{\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*}}")


@dataclass(frozen=True)
class Selector:
    """One series selector: its metric, every label that the query needs of it, and the labels matched with ``=``."""

    metric: str
    labels: frozenset[str]
    equals: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class PanelQuery:
    """One query of a dashboard, and where it stands there."""

    panel: str
    expr: str
    legend: str = ""


def selectors(expr: str) -> list[Selector]:
    """Return the selectors of ``expr``, in reading order, with the labels that matchers, ``by``, ``on`` and ``le`` ask of them.

    Raises ValueError where ``expr`` is no PromQL.
    """
    import promql_parser

    for variable, value in _GRAFANA.items():
        expr = expr.replace(variable, value)
    return list(_walk(promql_parser.parse(expr), frozenset()))


def _walk(node: Any, asked: frozenset[str]) -> Iterator[Selector]:
    """Yield the selectors in ``node``. ``asked``: labels that the expressions around ``node`` need of it."""
    match type(node).__name__:
        case "VectorSelector":
            yield _selector(node, asked)
        case "MatrixSelector":
            yield _selector(node.vector_selector, asked)
        case "AggregateExpr":
            # Outer expressions see what `by` leaves, so only these labels can be asked of the inside.
            by = _included(node.modifier)
            yield from _walk(node.expr, asked if by is None else by)
        case "BinaryExpr":
            on = _included(node.modifier.matching) if node.modifier else None
            for side in (node.lhs, node.rhs):
                yield from _walk(side, asked | (on or frozenset()))
        case "Call":
            # histogram_quantile cannot work without the buckets' bounds.
            needed = asked | {"le"} if node.func.name == "histogram_quantile" else asked
            for argument in node.args:
                yield from _walk(argument, needed)
        case "ParenExpr" | "SubqueryExpr" | "UnaryExpr":
            yield from _walk(node.expr, asked)


def _included(modifier: Any) -> frozenset[str] | None:
    """Return the labels of ``by`` or ``on``; None for ``without``, ``ignoring`` and no modifier."""
    if modifier is None or str(modifier.type).rsplit(".", 1)[1] not in ("By", "Include"):
        return None
    return frozenset(modifier.labels)


def _selector(node: Any, asked: frozenset[str]) -> Selector:
    matchers = node.matchers.matchers
    equals = tuple((m.name, m.value) for m in matchers if str(m.op).endswith(".Equal"))
    metric = node.name or dict(equals).get("__name__", "")
    named = frozenset(m.name for m in matchers) - {"__name__"}
    return Selector(metric, asked | named, equals)


def legend_labels(legend: str) -> frozenset[str]:
    """Return the labels that a legend shows: ``{{version}} {{role}}``."""
    return frozenset(_LEGEND.findall(legend))


def queries(dashboard: dict[str, Any]) -> list[PanelQuery]:
    """Return every query in a dashboard's JSON: of the panels, those within rows too, and of the annotations."""
    panel_queries = [
        PanelQuery(f"annotation {note.get('name', '')}", note["expr"])
        for note in dashboard.get("annotations", {}).get("list", [])
        if note.get("expr")
    ]
    panels = list(dashboard.get("panels", []))
    for panel in panels:
        # Grows while it is walked: a row's panels come after the rest.
        panels.extend(panel.get("panels", []))
        panel_queries += [
            PanelQuery(panel.get("title", ""), target["expr"], target.get("legendFormat", ""))
            for target in panel.get("targets", [])
        ]
    return panel_queries
