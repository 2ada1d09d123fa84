"""Drift by feature: which feature moved away from the champion's training window, since when, and what it cost."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from dashboards.panels import bands, bars, board, buckets, lines, number
from features.base.sections import Drift

MONITOR = 'process="drift-monitor"'
FEATURE = "max by (feature) (driftloop_drift_feature_score)"


def build() -> dashboard.Dashboard:
    """Build the dashboard, with its panels."""
    out = board("driftloop-drift", "driftloop: drift by feature", "The newest windows against the champion's training window.")
    for section in (_now, _features, _performance, _skew):
        out = section(out)
    return out


def _now(out: dashboard.Dashboard) -> dashboard.Dashboard:
    threshold = Drift().feature_threshold
    return (
        out.with_row(dashboard.Row("Now"))
        .with_panel(
            number(
                "Drift share",
                (f"driftloop_drift_share{{{MONITOR}}}", "share"),
                "percentunit",
                "Share of the watched features that drifted in the newest window.",
                steps=((Drift().share_threshold, "red"),),
            )
        )
        .with_panel(
            number(
                "Features drifted",
                (f"count({FEATURE} >= {threshold}) or vector(0)", "features"),
                description=f"Features whose score is {threshold} or more.",
                steps=((1, "orange"),),
            )
        )
        .with_panel(
            number(
                "Average precision",
                (f"driftloop_performance_ap{{{MONITOR}}}", "AP"),
                description="Of the champion, over the newest labelled days.",
                decimals=3,
            )
        )
        .with_panel(
            number(
                "Error",
                (f"driftloop_performance_error{{{MONITOR}}}", "error"),
                description="ADWIN's mean of the champion's error.",
                decimals=4,
            )
        )
        .with_panel(
            number(
                "Windows", ("sum(driftloop_drift_windows_total)", "windows"), description="Looked at since the monitor started."
            )
        )
        .with_panel(
            number(
                "Retrain requests",
                ("sum(driftloop_retrain_requests_total)", "requests"),
                description="Since the monitor started.",
                empty="0",
            )
        )
    )


def _features(out: dashboard.Dashboard) -> dashboard.Dashboard:
    threshold = Drift().feature_threshold
    steps = ((threshold / 2, "yellow"), (threshold, "orange"), (2 * threshold, "red"))
    return (
        out.with_row(dashboard.Row("Features"))
        .with_panel(
            bands(
                "Drift by feature",
                (FEATURE, "{{feature}}"),
                f"Distance of each feature from the champion's training window; orange from {threshold} on.",
                steps,
                # Rows thinner than this cannot be read.
                height=17,
            )
        )
        .with_panel(
            bars("Furthest away", (f"topk(10, {FEATURE})", "{{feature}}"), "The ten features that moved most.", steps, span=8)
        )
        .with_panel(
            lines(
                "Drift over time",
                [(FEATURE, "{{feature}}")],
                description="The same as lines.",
                span=16,
                steps=((threshold, "red"),),
            )
        )
    )


def _performance(out: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        out.with_row(dashboard.Row("Performance"))
        .with_panel(
            lines(
                "Average precision",
                [(f"driftloop_performance_ap{{{MONITOR}}}", "AP")],
                description="Of the champion, over the newest labelled days.",
                span=6,
                top=1,
            )
        )
        .with_panel(
            lines(
                "Error",
                [(f"driftloop_performance_error{{{MONITOR}}}", "ADWIN mean")],
                description="ADWIN's mean of the champion's error: a step upwards is concept drift.",
                span=6,
            )
        )
        .with_panel(
            lines(
                "Verdicts",
                [("sum by (verdict) (driftloop_drift_windows_total)", "{{verdict}}")],
                description="Windows since the monitor started, by verdict.",
                span=6,
                stack=True,
            )
        )
        .with_panel(
            buckets(
                "Scores by value",
                "driftloop_score_value",
                'process="scorer"',
                "short",
                "A drifting model's scores move first.",
                span=6,
            )
        )
    )


def _skew(out: dashboard.Dashboard) -> dashboard.Dashboard:
    values = f"driftloop_skew_values{{{MONITOR}}}"
    return (
        out.with_row(dashboard.Row("Stream against batch"))
        .with_panel(
            lines(
                "Values that differ",
                [(f"{values} / on () group_left driftloop_skew_checked_vectors{{{MONITOR}}}", "{{source}}")],
                description="Per vector, between what was served and what batch computes for a sample of each day's subjects. "
                "history: must be none. profile, counterpart: the online store held another row at that moment.",
                span=12,
            )
        )
        .with_panel(
            number(
                "History values that differ",
                (f'driftloop_skew_values{{source="history", {MONITOR}}}', "values"),
                description="On the newest day that was checked: anything but none is a bug.",
                steps=((1, "red"),),
            )
        )
        .with_panel(
            number(
                "Day checked",
                (f"(driftloop_skew_last_day{{{MONITOR}}} > 0) * 1000", "day"),
                "dateTimeAsIso",
                "The newest complete day whose sample was computed again.",
            )
        )
        .with_panel(
            number(
                "Failed checks",
                (f"driftloop_skew_failures_total{{{MONITOR}}}", "checks"),
                description="Since the process started; see its log.",
                steps=((1, "orange"),),
                empty="0",
            )
        )
    )
