"""The pictures of the report, as SVG text."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from features.base.durations import DAY_MS
from infra.demo.judge import champions
from infra.demo.story import Story
from infra.demo.summary import Summary
from infra.demo.tell import Told

_INK, _BLUE, _RED, _GREEN, _GREY = "#1f2933", "#2563a8", "#c0392b", "#1e8449", "#9aa5b1"


def _svg(figure: Figure) -> str:
    # Text stays text, so that the page can be searched; ids must not change from run to run.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "driftloop"}):
        out = io.StringIO()
        figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _day(ms: int | float) -> float:
    """Return event time as matplotlib counts it, in days."""
    return float(date2num(_utc(ms)))


def _utc(ms: int | float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _axes(figure: Figure, rows: int, row: int, title: str) -> Axes:
    axes = figure.add_subplot(rows, 1, row)
    axes.set_title(title, loc="left", fontsize=10, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=_INK)
    axes.grid(axis="y", color="#e4e7eb", linewidth=0.7)
    return axes


def _mark(axes: Axes, story: Story, demo: Told) -> None:
    """Mark injections, detections and promotions, on any axis of event time."""
    summary: Summary = demo.summary
    for injection, incident in zip(story.injections, summary.incidents, strict=True):
        end = injection.end_ms or int(demo.collected.scores.event_time_ms.max())
        axes.axvspan(_day(injection.start_ms), _day(end), color=_RED, alpha=0.07, linewidth=0)
        axes.axvline(_day(injection.start_ms), color=_RED, linewidth=1)
        _say(axes, injection.start_ms, injection.kind.replace("_", " "), _RED, 0.98)
        if incident.detected_at_ms:
            axes.axvline(_day(incident.detected_at_ms), color="#b7791f", linewidth=1, linestyle="--")
            _say(axes, incident.detected_at_ms, "noticed", "#b7791f", 0.86)
    for version, at in champions(demo.collected):
        axes.axvline(_day(at), color=_GREEN, linewidth=1)
        _say(axes, at, f"{version} serves", _GREEN, 0.74)


def _say(axes: Axes, at_ms: int, text: str, colour: str, height: float) -> None:
    axes.text(_day(at_ms), height, f" {text}", color=colour, fontsize=7.5, va="top", transform=axes.get_xaxis_transform())


def over_time(story: Story, demo: Told) -> str:
    """Draw daily AP and mean score, with what was done and what the loop did."""
    scores = demo.collected.scores
    figure = Figure(figsize=(10, 5.2))
    days = [(datetime.fromisoformat(d.day).replace(tzinfo=UTC), d.ap) for d in demo.summary.daily if d.ap is not None]
    ap = _axes(figure, 2, 1, "Average precision by day (against the ground truth)")
    when = [float(date2num(day)) for day, _ in days]
    ap.plot(when, [value for _, value in days], color=_BLUE, linewidth=1.6, marker="o", markersize=2.5)
    ap.set_ylim(0, 1.02)
    mean = _axes(figure, 2, 2, "Mean score by day, and transactions by day (grey)")
    day = scores.event_time_ms // DAY_MS
    which = np.unique(day)
    with_score = ~np.isnan(scores.score)
    means = [scores.score[(day == d) & with_score].mean() if ((day == d) & with_score).any() else np.nan for d in which]
    labels = [_day(int(d) * DAY_MS) for d in which]
    other = mean.twinx()
    other.bar(labels, [(day == d).sum() for d in which], color=_GREY, alpha=0.25, width=0.9)
    other.tick_params(labelsize=8, colors=_GREY)
    other.spines[["top"]].set_visible(False)
    mean.plot(labels, means, color=_BLUE, linewidth=1.6)
    for axes in (ap, mean):
        axes.xaxis_date()
        axes.set_xlim(labels[0], labels[-1])
        _mark(axes, story, demo)
    figure.tight_layout()
    return _svg(figure)


def drift(story: Story, demo: Told) -> str:
    """Draw the drift score by feature and window: dark is far from the champion's training window."""
    reports = [r for r in demo.collected.reports if r.kind == "data" and r.features]
    figure = Figure(figsize=(10, 4.6))
    axes = _axes(figure, 1, 1, "Distance of each watched column from the champion's training window, by window")
    axes.grid(visible=False)
    if not reports:
        axes.text(0.5, 0.5, "no window was compared", ha="center", transform=axes.transAxes)
        return _svg(figure)
    names = sorted({name for r in reports for name in r.features}, key=lambda n: -max(r.features.get(n, 0.0) for r in reports))[
        :22
    ]
    grid = np.array([[r.features.get(name, np.nan) for r in reports] for name in names])
    image = axes.imshow(grid, aspect="auto", cmap="YlOrRd", vmin=0, vmax=0.5, interpolation="nearest")
    axes.set_yticks(range(len(names)), names, fontsize=7.5)
    step = max(1, len(reports) // 12)
    ticks = range(0, len(reports), step)
    axes.set_xticks(list(ticks), [f"{_utc(reports[i].window_start_ms):%m-%d}" for i in ticks], fontsize=7.5)
    for column, report in enumerate(reports):
        if report.verdict != "ok":
            axes.text(column, -0.7, report.verdict.replace("_", " "), color=_RED, fontsize=7, rotation=45, ha="left", va="bottom")
    figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01)
    axes.set_title(axes.get_title("left"), loc="left", fontsize=10, pad=46)
    figure.tight_layout()
    return _svg(figure)
