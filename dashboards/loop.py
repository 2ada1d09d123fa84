"""The loop at a glance: what flows, how late, what is served, what is being trained, what has drifted.

Metrics without labels exist at zero in every process that imports them; the label ``process``, which the scrape config sets,
picks the one that is meant.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.common import BigValueTextMode

from dashboards.panels import board, buckets, lines, number, quantile, quantiles, rate
from features.base.active import WORDS
from features.base.sections import Drift
from streams import topics

SCORER = 'process="scorer"'
DRIFT = 'process="drift-monitor"'


def build() -> dashboard.Dashboard:
    """Build the dashboard, with its panels."""
    out = board("driftloop-loop", "driftloop: the loop", "The whole loop at a glance.")
    for section in (_now, _flow, _latency, _scores, _model, _training):
        out = section(out)
    return out


def _now(out: dashboard.Dashboard) -> dashboard.Dashboard:
    consumed = f'driftloop_records_consumed_total{{processor="scorer", topic="{topics.EVENTS}"}}'
    return (
        out.with_row(dashboard.Row("Now"))
        .with_panel(
            number(
                "Champion",
                ('max by (version) (driftloop_model_loaded_info{role="champion"} == 1)', "{{version}}"),
                description="The model version that answers.",
                text=BigValueTextMode.NAME,
            )
        )
        .with_panel(number(WORDS.events.capitalize(), (f"sum({rate(consumed)})", WORDS.events), "cps", "Taken by the scorer."))
        .with_panel(number("Alerts", (f"sum({rate(_scores_of('alert'))})", "alerts"), "cps", "Scores above the threshold."))
        .with_panel(
            number(
                "Event time",
                ('max(driftloop_event_time_seconds{processor="scorer"}) * 1000', "event time"),
                "dateTimeAsIso",
                "Newest event that the scorer has seen: the clock of the loop.",
            )
        )
        .with_panel(
            number(
                "Dead letters",
                ("sum(driftloop_dlq_records_total)", "records"),
                description="Records that no processor could take, since the processes started: driftloop dlq list.",
                steps=((1, "orange"),),
                empty="0",
            )
        )
        .with_panel(
            number(
                "Failed predictions",
                (f"driftloop_model_unavailable_total{{{SCORER}}}", "calls"),
                description="Calls that the model server did not answer or refused, since the scorer started.",
                steps=((1, "red"),),
                empty="0",
            )
        )
        .with_panel(
            number("Processes up", ('sum(up{job="driftloop"})', "up"), description="Processes that answer on their metrics port.")
        )
        .with_panel(number("Lag", ("sum(driftloop_lag_records)", "records"), description="Records waiting, over all processors."))
        .with_panel(
            number(
                "Drift share",
                (f"driftloop_drift_share{{{DRIFT}}}", "share"),
                "percentunit",
                "Share of the watched features that drifted in the newest window.",
                steps=((Drift().share_threshold, "red"),),
            )
        )
        .with_panel(
            number(
                "Average precision",
                (f"driftloop_performance_ap{{{DRIFT}}}", "AP"),
                description="Of the champion, over the newest labelled days.",
                decimals=3,
            )
        )
        .with_panel(number("Training runs", ("sum(driftloop_active_runs)", "runs"), description="Running now."))
        .with_panel(
            number(
                "Shadow",
                ('max by (version) (driftloop_model_loaded_info{role="shadow"} == 1)', "{{version}}"),
                description="The version under test, if there is one.",
                text=BigValueTextMode.NAME,
            )
        )
    )


def _flow(out: dashboard.Dashboard) -> dashboard.Dashboard:
    newest = 'scalar(max(driftloop_event_time_seconds{processor="scorer"}))'
    return (
        out.with_row(dashboard.Row("Flow"))
        .with_panel(
            lines(
                "Records consumed",
                [(f"sum by (processor) ({rate('driftloop_records_consumed_total')})", "{{processor}}")],
                "cps",
                "Per second, by processor.",
                span=6,
            )
        )
        .with_panel(
            lines(
                "Records produced",
                [(f"sum by (topic) ({rate('driftloop_records_produced_total')})", "{{topic}}")],
                "cps",
                "Per second, by topic.",
                span=6,
            )
        )
        .with_panel(
            lines(
                "Lag",
                [("sum by (processor) (driftloop_lag_records)", "{{processor}}")],
                description="Records between the end of the topics and what each processor has committed.",
                span=6,
            )
        )
        .with_panel(
            lines(
                "Event time behind the scorer",
                [(f"clamp_min({newest} - max by (processor) (driftloop_event_time_seconds), 0)", "{{processor}}")],
                "s",
                "How much event time each processor still has to see.",
                span=6,
            )
        )
    )


def _latency(out: dashboard.Dashboard) -> dashboard.Dashboard:
    p95 = [
        (quantile(0.95, "driftloop_model_call_seconds", SCORER), "model call p95"),
        (quantile(0.95, "driftloop_profile_read_seconds", SCORER), "profile read p95"),
    ]
    size = "driftloop_batch_records"
    return (
        out.with_row(dashboard.Row("Latency"))
        .with_panel(
            lines(
                "Time to score",
                quantiles("driftloop_batch_seconds", 'processor="scorer"'),
                "s",
                "One micro-batch of the scorer, from poll to commit.",
            )
        )
        .with_panel(lines("Model and profiles", p95, "s", "What the scorer waits for within a micro-batch."))
        .with_panel(
            lines(
                "Micro-batches",
                [(f"sum by (processor) ({rate(size + '_sum')}) / sum by (processor) ({rate(size + '_count')})", "{{processor}}")],
                description="Mean records a batch: batches grow with the backlog.",
            )
        )
    )


def _scores_of(decision: str) -> str:
    return f'driftloop_scores_total{{decision="{decision}"}}'


def _scores(out: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        out.with_row(dashboard.Row("Scores"))
        .with_panel(
            lines(
                "Scores by decision",
                [(f"sum by (decision) ({rate('driftloop_scores_total')})", "{{decision}}")],
                "cps",
                "Unscored: there is no champion yet.",
                span=6,
                stack=True,
            )
        )
        .with_panel(
            lines(
                "Alerts",
                [(f"sum({rate(_scores_of('alert'))}) / sum({rate('driftloop_scores_total')})", "share of scores")],
                "percentunit",
                "What analysts have to look at, as a share of all scores.",
                span=6,
            )
        )
        .with_panel(
            buckets("Scores by value", "driftloop_score_value", SCORER, "short", "How the champion's scores are spread.", span=6)
        )
        .with_panel(
            lines(
                "Trouble",
                [
                    (f"sum by (processor, error) ({rate('driftloop_dlq_records_total')})", "dlq {{processor}} {{error}}"),
                    (rate(f"driftloop_degraded_scores_total{{{SCORER}}}"), "degraded scores"),
                    (f"sum by (topic, came_by) ({rate('driftloop_moved_records_total')})", "moved {{topic}} {{came_by}}"),
                ],
                "cps",
                "Dead letters, scores made with the last known profiles or by rules, and records moved to their place.",
                span=6,
            )
        )
    )


def _model(out: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        out.with_row(dashboard.Row("Model server"))
        .with_panel(
            lines(
                "Predictions by version",
                [(f"sum by (version, role) ({rate('driftloop_predictions_total')})", "{{version}} {{role}}")],
                "cps",
                "Transactions scored per second.",
                span=6,
            )
        )
        .with_panel(
            lines(
                "Prediction time",
                [(quantile(0.95, "driftloop_predict_seconds", by="version"), "{{version}} p95")],
                "s",
                "Within the model server.",
                span=6,
            )
        )
        .with_panel(
            lines(
                "Failed predictions",
                [
                    (f"sum by (version, role) ({rate('driftloop_failed_predictions_total')})", "failed: {{version}} {{role}}"),
                    (f"sum by (reason) ({rate('driftloop_rejected_requests_total')})", "rejected: {{reason}}"),
                    (rate(f"driftloop_model_unavailable_total{{{SCORER}}}"), "not answered"),
                ],
                "cps",
                "Transactions whose model failed, requests that the server refused, and calls that got no answer.",
                span=6,
            )
        )
        .with_panel(
            lines(
                "Shadow",
                [("max by (version) (driftloop_shadow_predictions)", "{{version}}")],
                description="Transactions that the version under test has scored.",
                span=6,
            )
        )
    )


def _training(out: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        out.with_row(dashboard.Row("Drift and training"))
        .with_panel(
            lines(
                "Drift share",
                [(f"driftloop_drift_share{{{DRIFT}}}", "share")],
                "percentunit",
                "Share of the watched features that drifted.",
                span=6,
                steps=((Drift().share_threshold, "red"),),
                top=1,
            )
        )
        .with_panel(
            lines(
                "Retrain requests",
                [("sum by (cause) (driftloop_retrain_requests_total)", "{{cause}}")],
                description="Asked for by the drift monitor since it started, by cause.",
                span=6,
            )
        )
        .with_panel(
            lines(
                "Runs",
                [
                    ("sum by (state) (driftloop_runs_total)", "{{state}}"),
                    ("sum(driftloop_active_runs)", "running now"),
                ],
                description="Training runs since control started, by how they ended.",
                span=6,
            )
        )
        .with_panel(
            lines(
                "Declined",
                [("sum by (reason) (driftloop_declined_total)", "{{reason}}")],
                description="Requests that the policy declined, and why.",
                span=6,
            )
        )
    )
