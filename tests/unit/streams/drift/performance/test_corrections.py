"""Outcomes that are corrected: the monitor's counts are those of what counts in the end, and no event counts twice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.base.durations import DAY_MS, HOUR_MS
from features.base.sections import Drift
from streams.drift.performance.mature_outcomes import OutcomeSeen, PerformanceMonitor
from streams.drift.performance.paired import Labelled, paired
from streams.drift.performance.precision import bins_of
from tests.unit.streams.drift.synthetic import START_MS, settings_for


def outcome(
    event_id: str, day: float, positive: bool, revision: int, *, late: bool = False, score: float = 0.9, at: float = 0.0
) -> OutcomeSeen:
    known = START_MS + int(day * DAY_MS)
    source = "chargeback" if revision else "matured"
    return OutcomeSeen(event_id, START_MS + int(at * DAY_MS), known, positive, source, score, 0.5, "v1", late, revision)


def closed(folder: Path, seen: Sequence[OutcomeSeen], cut: int, days: int = 12) -> PerformanceMonitor:
    """A monitor that took these in batches of ``cut``, and closed the windows of ``days``."""
    monitor = PerformanceMonitor(settings_for(folder, Drift(), 1))
    for begin in range(0, len(seen), cut):
        monitor.take([0] * len(seen[begin : begin + cut]), seen[begin : begin + cut], [], [None])
        monitor.advance(START_MS + days * DAY_MS, "v1", [])
    end = outcome("end", days, False, 0, at=days - 7)
    monitor.take([0], [end], [], [None])
    monitor.advance(START_MS + days * DAY_MS, "v1", [])
    return monitor


def counts(monitor: PerformanceMonitor, score: float) -> list[int]:
    """Negative and positive events of day 0 whose score is in this one's bin."""
    by_score = monitor.versions["v1"]._by_score.get(START_MS // HOUR_MS * HOUR_MS)
    window = next(iter(monitor.versions["v1"]._by_score.values())) if by_score is None else by_score
    return [int(count) for count in window[:, bins_of(np.array([score]))[0]]]


@pytest.mark.parametrize("cut", [1, 100])
@pytest.mark.parametrize(
    ("turns", "ends"),
    [
        ([(1, True, False)], [0, 1]),
        ([(1, True, False), (1.1, False, True)], [1, 0]),
        ([(1, True, False), (4, False, True)], [1, 0]),
        ([(1, True, False), (4, False, True), (6, True, True)], [0, 1]),
        ([(1, True, False), (4, False, True), (4.1, True, True)], [0, 1]),
        ([(7, False, False), (8, True, True)], [0, 1]),
        ([(7, False, False), (8, True, True), (8.1, False, True)], [1, 0]),
        ([(7, False, False), (8, True, True), (9, False, True), (10, True, True), (11, False, True)], [1, 0]),
    ],
)
def test_an_event_counts_once_as_what_it_is_in_the_end(
    tmp_path: Path, turns: list[tuple[float, bool, bool]], ends: list[int], cut: int
) -> None:
    first = 0 if not turns[0][1] else 1
    seen = [outcome("x", day, positive, first + n, late=late) for n, (day, positive, late) in enumerate(turns)]
    monitor = closed(tmp_path, seen, cut)
    assert counts(monitor, 0.9) == ends
    assert monitor.labels() == (2, ends[1]), "x and the end"


def test_a_positive_that_was_withdrawn_is_no_longer_among_those_of_the_last_days(tmp_path: Path) -> None:
    frauds = [outcome(f"x{n}", 1, True, 1, score=0.1 if n < 5 else 0.9) for n in range(10)]
    back = [outcome(f"x{n}", 3, False, 2, late=True, score=0.1) for n in range(5)]
    performance = closed(tmp_path, [*frauds, *back], 4, days=4).versions["v1"]
    assert (performance.positives_recently, performance.missed_recently()) == (5, 0.0)
    assert performance.positives_seen == 10, "the detectors have no memory of single ones"
    again = [outcome(f"x{n}", 3.5, True, 3, late=True, score=0.1) for n in range(5)]
    same = closed(tmp_path, [*frauds, *back, *again], 4, days=4).versions["v1"]
    assert same.positives_seen == 10, "a detector sees an event once"


def test_a_withdrawal_without_score_finds_the_version_that_counts_its_event(tmp_path: Path) -> None:
    fraud = outcome("x", 1, True, 1)
    back = msgspec.structs.replace(outcome("x", 2, False, 2, late=True), score=None, threshold=None, model_version=None)
    unknown = msgspec.structs.replace(back, event_id="nobody")
    again = msgspec.structs.replace(back, positive=True, revision=3, outcome_time_ms=back.outcome_time_ms + DAY_MS)
    assert counts(closed(tmp_path, [fraud, back, unknown], 1), 0.9) == [1, 0]
    assert counts(closed(tmp_path, [fraud, back, unknown, again], 1), 0.9) == [0, 1]


def test_of_outcomes_of_an_event_in_a_window_the_highest_revision_counts_in_any_order() -> None:
    same = [
        Labelled(3, "x", 0, "analyst", False, 5, late=True, positive=False, revision=2),
        Labelled(1, "x", 0, "chargeback", False, 5, late=False, positive=True, revision=1),
        Labelled(2, "y", 0, "chargeback", True, 5, late=True),
    ]
    for seed in range(6):
        random.Random(seed).shuffle(same)
        assert [(pair.newest.event_id, pair.newest.positive, pair.late) for pair in paired(same)] == [
            ("y", True, True),
            ("x", False, False),
        ]


def test_outcomes_of_the_time_before_revisions_are_read() -> None:
    old = msgspec.json.decode(
        b'{"event_id":"x","event_time_ms":1,"outcome_time_ms":2,"positive":true,"source":"chargeback","late":true}',
        type=OutcomeSeen,
    )
    assert (old.revision, old.late) == (0, True)
