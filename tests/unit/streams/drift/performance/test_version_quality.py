"""Concept drift on the frauds that are missed: found when they become more, not when labels come in another order."""

from __future__ import annotations

import numpy as np
import pytest

from features.base.durations import DAY_MS
from streams.drift.performance.paired import Labelled
from streams.drift.performance.version_quality import MIN_POSITIVES, Performance

PER_DAY = 30


def positives(
    rng: np.random.Generator, day: int, missed: float, count: int = PER_DAY, source: str = "chargeback"
) -> list[Labelled]:
    times = day * DAY_MS + rng.integers(0, DAY_MS, count)
    return [Labelled(int(t), f"{day}-{i}", int(t), source, bool(rng.random() < missed), 0) for i, t in enumerate(times)]


def first_detection(seed: int, before: float, after: float, change_day: int, days: int, delta: float) -> int | None:
    """The day on whose evening a rise is found; None where none is."""
    rng = np.random.default_rng(seed)
    performance = Performance("v1", delta)
    for day in range(days):
        if performance.feed(positives(rng, day, before if day < change_day else after), (day + 1) * DAY_MS) is not None:
            return day
    return None


@pytest.mark.parametrize("delta", [0.002, 0.05])
def test_a_steady_miss_rate_raises_few_alarms(delta: float) -> None:
    alarms = sum(first_detection(seed, 0.2, 0.2, 60, 60, delta) is not None for seed in range(20))
    assert alarms <= 2


@pytest.mark.parametrize(("delta", "most_days"), [(0.002, 3), (0.05, 2)])
def test_a_dead_pattern_is_noticed_within_days(delta: float, most_days: int) -> None:
    delays = [first_detection(seed, 0.2, 0.7, 10, 30, delta) for seed in range(20)]
    assert all(day is not None for day in delays)
    lateness = np.array([day for day in delays if day is not None]) - 10
    assert lateness.min() >= 0
    assert np.quantile(lateness, 0.9) <= most_days


def test_fewer_misses_are_no_drift() -> None:
    assert all(first_detection(seed, 0.7, 0.2, 10, 30, 0.05) is None for seed in range(10))


def test_too_few_frauds_say_nothing() -> None:
    rng = np.random.default_rng(1)
    performance = Performance("v1", 0.05)
    half = MIN_POSITIVES // 2 - 1
    assert performance.feed(positives(rng, 0, 0.0, half), DAY_MS) is None
    assert performance.feed(positives(rng, 1, 1.0, half), 2 * DAY_MS) is None


def test_analysts_who_label_hits_first_are_no_drift() -> None:
    # Analysts confirm alerts within hours from the first day; chargebacks, misses among them, only begin four days later.
    for seed in range(10):
        rng = np.random.default_rng(seed)
        performance = Performance("v1", 0.05)
        for day in range(30):
            batch = positives(rng, day, 0.0, 15, "analyst") + (positives(rng, day, 0.4, 15) if day >= 4 else [])
            performance.feed(batch, (day + 1) * DAY_MS)
        assert performance.detection is None


def test_a_detection_lasts_until_the_misses_come_back() -> None:
    rng = np.random.default_rng(5)
    performance = Performance("v1", 0.05)
    for day in range(10):
        performance.feed(positives(rng, day, 0.2), (day + 1) * DAY_MS)
    for day in range(10, 20):
        performance.feed(positives(rng, day, 0.7), (day + 1) * DAY_MS)
    detection = performance.detection
    assert detection is not None
    assert detection.error_before == pytest.approx(0.2, abs=0.08)
    assert detection.error_after > 0.5
    for day in range(20, 30):
        performance.feed(positives(rng, day, 0.2), (day + 1) * DAY_MS)
    assert performance.detection is None
