"""``summary.json``: what the demo did, in numbers, and whether it was right."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Incident(msgspec.Struct):
    """Something that was done to the stream, and what the loop made of it.

    Times are event time in ms, None where it never happened.
    """

    kind: str
    injected_at_ms: int
    detected_at_ms: int | None
    verdict: str | None
    retrain_requests: int
    runs: int
    champion_before: str | None
    champion_after: str | None
    ap_before: float | None
    ap_during: float | None
    ap_after: float | None


class Seconds(msgspec.Struct):
    """Wall time in seconds."""

    up: float
    first_model: float | None
    detect_to_promoted: float | None
    total: float


class Day(msgspec.Struct):
    """One day of event time after the first model."""

    day: str
    transactions: int
    positives: int
    ap: float | None
    cp100: float


class Summary(msgspec.Struct):
    """The whole demo. ``checks`` says what had to hold, and whether it did."""

    transactions: int
    scores: int
    unscored: int
    alerts: int
    dlq: int
    labels: int
    outcomes: int
    incidents: list[Incident]
    failed_predictions: int
    seconds: Seconds
    checks: dict[str, bool]
    daily: list[Day] = []
    memory_mb: dict[str, float] = {}
    throughput: dict[str, float] = {}

    @property
    def passed(self) -> bool:
        return all(self.checks.values())


def write(summary: Summary, path: Path) -> None:
    """Write ``summary.json``, indented."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
