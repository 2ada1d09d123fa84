"""How far each processor has come in event time, by its own metrics.

Offsets say how many records are to be done; event time says how old the world is that a processor looks at. It is compared with
the newest event time that any of them has seen, not with the clock, so that a replay of an old month reads as it should.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import TypedDict

from prometheus_client.parser import text_string_to_metric_families

from features.settings import Settings

_METRIC = "driftloop_event_time_seconds"


class EventTime(TypedDict):
    """``newest_ms``: newest event time seen; ``behind_s``: how far that is behind the newest that any processor saw."""

    newest_ms: int
    behind_s: float


def event_times(settings: Settings, timeout_s: float = 2.0) -> dict[str, EventTime]:
    """By processor; those that have seen nothing, or do not answer, are left out."""
    newest: dict[str, float] = {}
    for port in settings.ports.metrics.values():
        if port:
            newest |= _seen(port, timeout_s)
    latest = max(newest.values(), default=0.0)
    return {name: EventTime(newest_ms=round(time * 1000), behind_s=latest - time) for name, time in sorted(newest.items())}


def _seen(port: int, timeout_s: float) -> dict[str, float]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=timeout_s) as answer:
            text = answer.read().decode()
    except (OSError, urllib.error.URLError):
        return {}
    return {
        sample.labels["processor"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == _METRIC and sample.value > 0
    }
