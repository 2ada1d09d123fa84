"""From what the topics hold to the summary: incidents, averages before, during and after, and the checks."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS
from features.base.events import ModelEvent
from features.base.settings import Settings
from infra.demo.collect import Collected, Scores
from infra.demo.story import Injection, Story
from infra.demo.summary import Day, Incident
from infra.demo.truth import average_precision, daily
from streams import topics

FAR = 2**62


def first_score_by(scores: Scores, version: str) -> int | None:
    """Return the event time in ms of the first transaction that ``version`` scored."""
    rows = np.flatnonzero(scores.version == version)
    return int(scores.event_time_ms[rows[0]]) if rows.size else None


def champions(collected: Collected) -> list[tuple[str, int]]:
    """Return the versions in the order of their first score, with its event time."""
    names = {str(v) for v in collected.scores.version if v}
    firsts = [(name, first_score_by(collected.scores, name) or 0) for name in names]
    return sorted(firsts, key=lambda item: item[1])


def incidents(story: Story, collected: Collected, positive: NDArray[np.bool_]) -> list[Incident]:
    """Return one incident for each planned injection; the window of each ends where the next begins."""
    ends = [i.start_ms for i in story.injections] + [FAR]
    return [_incident(i, until, collected, positive) for i, until in zip(story.injections, ends[1:], strict=True)]


def _incident(injection: Injection, until_ms: int, collected: Collected, positive: NDArray[np.bool_]) -> Incident:
    start = injection.start_ms
    reports = [r for r in collected.reports if r.window_end_ms > start and r.window_start_ms < until_ms and r.verdict != "ok"]
    hit = next((r for r in reports if r.verdict == injection.kind), reports[0] if reports else None)
    requests = [r for r in collected.requests if start <= r.event_time_ms < until_ms]
    keys = {r.idempotency_key for r in requests}
    runs = {e.run_id for e in collected.events if e.state == "running" and e.idempotency_key in keys}
    order = champions(collected)
    before = next((v for v, at in reversed(order) if at < start), None)
    later = [(v, at) for v, at in order if start <= at < until_ms]
    after, changed = later[-1] if later else (before, None)
    scores = collected.scores
    live = order[0][1] if order else FAR
    end = injection.end_ms or changed or until_ms
    recovered = changed if injection.end_ms is None else injection.end_ms
    return Incident(
        kind=injection.kind,
        injected_at_ms=start,
        detected_at_ms=hit.window_end_ms if hit else None,
        verdict=hit.verdict if hit else None,
        retrain_requests=len(requests),
        runs=len(runs),
        champion_before=before,
        champion_after=after,
        ap_before=_ap(scores, positive, live, start),
        ap_during=_ap(scores, positive, start, end),
        ap_after=None if recovered is None else _ap(scores, positive, recovered, until_ms),
    )


def _ap(scores: Scores, positive: NDArray[np.bool_], start_ms: int, end_ms: int) -> float | None:
    rows = (scores.event_time_ms >= start_ms) & (scores.event_time_ms < end_ms)
    value = average_precision(positive[rows], scores.score[rows])
    return None if math.isnan(value) else round(value, 4)


def days(scores: Scores, positive: NDArray[np.bool_]) -> list[Day]:
    """Return AP and subject precision@100 for each scored day."""
    return [
        Day(
            datetime.fromtimestamp(d.day_ms / 1000, UTC).date().isoformat(),
            d.transactions,
            d.positives,
            None if math.isnan(d.ap) else round(d.ap, 4),
            d.cp100,
        )
        for d in daily(scores, positive)
    ]


def detect_to_promoted_s(events: list[ModelEvent]) -> float | None:
    """Return the wall seconds from the last request that led to a promotion to that promotion."""
    asked = {e.idempotency_key: e.at_ms for e in events if e.state == "requested"}
    promoted = [e for e in events if e.state == "promoted" and e.idempotency_key in asked]
    if not promoted:
        return None
    last = promoted[-1]
    return round((last.at_ms - asked[last.idempotency_key]) / 1000, 2)


def checks(
    settings: Settings, story: Story, collected: Collected, incidents: list[Incident], published: int, failed: int
) -> dict[str, bool]:
    """Tell of all that had to hold whether it did."""
    scores = collected.scores
    ids = set(scores.event_id.tolist())
    due = scores.event_time_ms < scores.event_time_ms.max() - settings.labels.delay_ms - DAY_MS
    matured = int((due & ~scores.apart).sum())
    promoted = [e for e in collected.events if e.state == "promoted"]
    held = {
        "every valid transaction has exactly one score": len(ids) == len(scores.event_id) == published,
        "malformed records are in the DLQ, and nothing else is": collected.counts[topics.DLQ] == len(story.malformed),
        "the first model trained itself and was promoted": bool(promoted) and bool(champions(collected)),
        "alerts came": collected.counts[topics.ALERTS] > 0,
        "every matured transaction has an outcome": collected.counts[topics.OUTCOMES] >= matured,
        "no run failed": not any(e.state == "failed" for e in collected.events),
        "no prediction failed": failed == 0,
    }
    for incident in incidents:
        if incident.kind == "data_fault":
            held["the data fault was called a data fault"] = incident.verdict == "data_fault"
            held["the data fault started no run"] = incident.runs == 0
        else:
            held["the concept drift was noticed"] = incident.detected_at_ms is not None
            held["the concept drift started one run"] = incident.runs == 1
            held["the concept drift changed the champion"] = incident.champion_after != incident.champion_before
            during, after = incident.ap_during, incident.ap_after
            held["AP after the new model exceeds AP during the incident"] = (
                during is not None and after is not None and after > during
            )
    if not story.injections:
        causes = {r.idempotency_key: r.cause for r in collected.requests}
        scheduled = [e for e in collected.events if e.state == "running" and causes.get(e.idempotency_key or "") == "schedule"]
        held["a retraining by schedule ran"] = bool(scheduled)
    return held
