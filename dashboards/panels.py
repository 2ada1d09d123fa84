"""The few kinds of panel that the dashboards are made of, so that units, legends and sizes look alike."""

from __future__ import annotations

import json

from grafana_foundation_sdk.builders import bargauge, common, dashboard, heatmap, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heatmap_model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

#: The Prometheus that a viewer picks at the top of the dashboard.
SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
WINDOW = "[$__rate_interval]"

#: A query and its legend.
Query = tuple[str, str]


def rate(selector: str) -> str:
    """Return the per-second rate of a counter, over the window that Grafana picks for the zoom."""
    return f"rate({selector}{WINDOW})"


def quantile(q: float, metric: str, matchers: str = "", by: str = "") -> str:
    """Return the ``q`` quantile of histogram ``metric``, for each value of the labels ``by``."""
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({q}, sum by ({labels}) ({rate(f'{metric}_bucket{{{matchers}}}')}))"


def quantiles(metric: str, matchers: str = "") -> list[Query]:
    """Return the median, p95 and p99 of histogram ``metric``."""
    return [(quantile(q, metric, matchers), name) for q, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))]


def _target(query: Query, index: int, instant: bool = False) -> prometheus.Dataquery:
    expr, legend = query
    target = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(chr(ord("A") + index)).datasource(SOURCE)
    return target.instant() if instant else target.range()


def thresholds(*steps: tuple[float, str]) -> dashboard.ThresholdsConfig:
    """Return green below the first of ``steps``, then the colour of each from its value on."""
    first = model.Threshold(value=None, color="green")
    rest = [model.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps([first, *rest])


def _scheme(mode: model.FieldColorModeId) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(mode)


def number(
    title: str,
    query: Query,
    unit: str = "short",
    description: str = "",
    *,
    steps: tuple[tuple[float, str], ...] = (),
    text: common_model.BigValueTextMode = common_model.BigValueTextMode.VALUE,
    span: int = 4,
    empty: str = "none",
    decimals: int | None = None,
) -> stat.Panel:
    """Show one number (or one name, by ``text``), with ``empty`` shown while there is nothing."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .with_target(_target(query, 0))
        .unit(unit)
        .no_value(empty)
        .thresholds(thresholds(*steps))
        .color_scheme(_scheme(model.FieldColorModeId.THRESHOLDS))
        .graph_mode(common_model.BigValueGraphMode.AREA)
        .text_mode(text)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .height(4)
        .span(span)
    )
    return panel if decimals is None else panel.decimals(decimals)


def lines(
    title: str,
    queries: list[Query],
    unit: str = "short",
    description: str = "",
    *,
    span: int = 8,
    height: int = 8,
    stack: bool = False,
    steps: tuple[tuple[float, str], ...] = (),
    top: float | None = None,
) -> timeseries.Panel:
    """Draw values over time, never below zero; ``steps`` are drawn as dashed lines."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .line_width(1)
        .fill_opacity(30 if stack else 8)
        .show_points(common_model.VisibilityMode.NEVER)
        .color_scheme(_scheme(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(common_model.LegendDisplayMode.LIST)
            .placement(common_model.LegendPlacement.BOTTOM)
        )
        .tooltip(common.VizTooltipOptions().mode(common_model.TooltipDisplayMode.MULTI).sort(common_model.SortOrder.DESCENDING))
        .height(height)
        .span(span)
    )
    for index, query in enumerate(queries):
        panel = panel.with_target(_target(query, index))
    if stack:
        panel = panel.stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL))
    if steps:
        style = common.GraphThresholdsStyleConfig().mode(common_model.GraphTresholdsStyleMode.DASHED)
        panel = panel.thresholds(thresholds(*steps)).thresholds_style(style)
    return panel if top is None else panel.max(top)


def buckets(title: str, metric: str, matchers: str, unit: str, description: str, *, span: int) -> heatmap.Panel:
    """Draw a histogram over time: how many observations fell into each bucket."""
    expr = f"sum by (le) (increase({metric}_bucket{{{matchers}}}{WINDOW}))"
    target = _target((expr, "{{le}}"), 0).format(PromQueryFormat.HEATMAP)
    color = heatmap.HeatmapColorOptions().mode(heatmap_model.HeatmapColorMode.SCHEME).scheme("Spectral").steps(64)
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .with_target(target)
        .color(color)
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .height(8)
        .span(span)
    )


def bands(title: str, query: Query, description: str, steps: tuple[tuple[float, str], ...], height: int) -> statetimeline.Panel:
    """Draw one coloured band for each series: the colour is the value's step."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .with_target(_target(query, 0))
        .thresholds(thresholds(*steps))
        .color_scheme(_scheme(model.FieldColorModeId.THRESHOLDS))
        .show_value(common_model.VisibilityMode.NEVER)
        .row_height(0.9)
        .height(height)
        .span(24)
    )


def bars(title: str, query: Query, description: str, steps: tuple[tuple[float, str], ...], *, span: int) -> bargauge.Panel:
    """Draw the newest value of each series as a bar, in the order of the query."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .with_target(_target(query, 0, instant=True))
        .thresholds(thresholds(*steps))
        .color_scheme(_scheme(model.FieldColorModeId.THRESHOLDS))
        .orientation(common_model.VizOrientation.HORIZONTAL)
        .display_mode(common_model.BarGaugeDisplayMode.GRADIENT)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .min(0)
        .decimals(2)
        .height(8)
        .span(span)
    )


def board(uid: str, title: str, description: str) -> dashboard.Dashboard:
    """Build an empty dashboard with the data source to pick, links to its sisters, and a mark where the served model changed."""
    changes = 'changes(driftloop_serving_generation{process="model-server"}[30s]) > 0'
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["driftloop"])
        .time("now-30m", "now")
        .refresh("5s")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .link(
            dashboard.DashboardLink("driftloop")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["driftloop"])
            .as_dropdown(False)
            .keep_time(True)
        )
        .annotation(
            dashboard.AnnotationQuery()
            .name("served model changed")
            .datasource(SOURCE)
            .enable(True)
            .icon_color("purple")
            .expr(changes)
        )
    )


def render(built: dashboard.Dashboard) -> str:
    """Return the dashboard as Grafana's JSON, in the text of its file."""
    whole = built.build()
    for number_, panel in enumerate(whole.panels or [], start=1):
        panel.id_val = number_
    return json.dumps(whole, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
