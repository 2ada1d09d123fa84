"""Retraining by schedule, in event time. Pure."""

from __future__ import annotations

from features.base.durations import DAY_MS
from features.base.events import RetrainRequest


def due(model: str, every_days: float | None, now_ms: int, last_finished_ms: int | None) -> RetrainRequest | None:
    """Return the request that is due at event time ``now_ms``, if one is.

    It counts from the last finished run, so a run for another cause puts it off. Nothing is due before the first run:
    that one is asked for when there are enough labels. The key holds the number of the period since 1970, so asking
    twice in one period, before and after a restart, gives one run.
    """
    if every_days is None or last_finished_ms is None:
        return None
    every_ms = round(every_days * DAY_MS)
    if every_ms <= 0 or now_ms - last_finished_ms < every_ms:
        return None
    return RetrainRequest(
        idempotency_key=f"schedule-{model}-{now_ms // every_ms}",
        model=model,
        cause="schedule",
        event_time_ms=now_ms,
        reason=f"{(now_ms - last_finished_ms) / DAY_MS:.1f} days since the last run, every {every_days:g} days is asked for",
    )
