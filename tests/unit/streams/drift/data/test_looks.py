"""Windows of scores through the whole monitor, with Evidently: alarms where there is drift, and none where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from features.base.durations import DAY_MS, HOUR_MS
from features.catalogue import vector
from streams.drift.data.columns import MODE_NAMES
from streams.drift.monitor import DriftMonitor
from tests.unit.streams.drift.synthetic import (
    START_MS,
    Change,
    GivenReferences,
    Run,
    Vectors,
    clock_records,
    settings_for,
    times_of,
    vectors,
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(DriftMonitor(settings_for(tmp_path), GivenReferences("v1", "v2")))


def test_sixty_steady_days_with_their_weekends_raise_no_alarm(run: Run) -> None:
    for day in range(60):
        run.score_day(day)
    run.feed(clock_records(60))
    assert run.verdicts() == ["ok"] * 60
    assert run.requests == []
    shares = [report.share_drifted for report in run.reports]
    assert max(share for share in shares if share is not None) < 0.15


def test_dearer_amounts_are_drift_in_the_second_window_and_asked_for_once(run: Run) -> None:
    for day in range(2):
        run.score_day(day)
    for day in range(2, 8):
        # Sums and means of the last day follow half way on the first day, means of 30 days slowly.
        run.score_day(day, amounts=1.6, earlier_amounts=1.3 if day == 2 else 1.6)
    run.feed(clock_records(8))
    assert run.verdicts()[:4] == ["ok", "ok", "ok", "drift"]
    assert run.reports[2].action == "watching: drift in 1 of 2 windows in a row"
    assert len(run.requests) == 1
    request = run.requests[0]
    assert request.cause == "data_drift"
    assert request.idempotency_key == f"data_drift-fraud-v1-{START_MS + 3 * DAY_MS}"
    assert "amount" in request.evidence["features"]
    assert request.exclude == []


def test_lasting_drift_is_asked_for_again_after_a_week(run: Run) -> None:
    for day in range(10):
        run.score_day(day, amounts=2.0, earlier_amounts=2.0)
    run.feed(clock_records(10))
    assert [request.event_time_ms for request in run.requests] == [START_MS + 2 * DAY_MS, START_MS + 9 * DAY_MS]


def test_a_new_champion_is_held_against_its_own_reference(tmp_path: Path) -> None:
    class TwoReferences(GivenReferences):
        def __init__(self) -> None:
            super().__init__("v1")
            rng = np.random.default_rng(5)
            times = np.concatenate([times_of(rng, day, 700) for day in range(-28, 0)])
            values = vectors(rng, times, 2.0, 2.0)
            first = self._by_version["v1"]
            self._by_version["v2"] = type(first)("v2", values, first.scores[: len(values)])

    run = Run(DriftMonitor(settings_for(tmp_path), TwoReferences()))
    for day in range(3):
        run.score_day(day, amounts=2.0, earlier_amounts=2.0)
    for day in range(3, 6):
        run.score_day(day, version="v2", amounts=2.0, earlier_amounts=2.0)
    run.feed(clock_records(6))
    assert run.verdicts() == ["ok", "drift", "drift", "ok", "ok", "ok"]
    assert [report.model_version for report in run.reports[2:4]] == ["v1", "v2"]


def between(times: NDArray[np.int64], first_hour: int, last_hour: int) -> NDArray[np.bool_]:
    hour = times % DAY_MS // HOUR_MS
    return (hour >= first_hour) & (hour < last_hour)


def cents(values: Vectors, times: NDArray[np.int64]) -> None:
    hit = between(times, 9, 15)
    for name in ("amount", "ratio_to_mean_30d", "ratio_to_usual_amount", "sum_1d", "mean_1d"):
        values[hit, vector.INDEX[name]] *= 100


def no_place(values: Vectors, times: NDArray[np.int64]) -> None:
    hit = between(times, 9, 15)
    values[hit, vector.INDEX["has_location"]] = 0
    values[hit, vector.INDEX["distance_from_last_transaction"]] = -1
    values[hit, vector.INDEX["distance_from_home"]] = -1


def stuck(values: Vectors, times: NDArray[np.int64]) -> None:
    hit = between(times, 9, 15)
    for name in vector.NAMES:
        if name in MODE_NAMES:
            values[hit, vector.INDEX[name]] = name == "entry_manual"


@pytest.mark.parametrize(
    ("change", "field"), [(cents, "amount_minor"), (no_place, "latitude"), (stuck, "entry_mode")], ids=["unit", "place", "mode"]
)
def test_a_data_fault_is_named_and_asks_for_nothing(run: Run, change: Change, field: str) -> None:
    run.score_day(0)
    for day in (1, 2, 3):
        run.score_day(day, change=change)
    for day in (4, 5):
        # The history still holds the faulty amounts.
        run.score_day(day, earlier_amounts=6.0 if change is cents else 1.0)
    run.feed(clock_records(6))
    assert run.verdicts() == ["ok", "data_fault", "data_fault", "data_fault", "ok", "ok"]
    assert run.requests == []
    fault = run.reports[1].evidence["faults"][0]
    assert fault["field"] == field
    assert fault["start_ms"] == START_MS + DAY_MS + 9 * HOUR_MS
    assert fault["end_ms"] == START_MS + DAY_MS + 15 * HOUR_MS
    assert "no retraining" in run.reports[1].action


def nowhere(values: Vectors, times: NDArray[np.int64]) -> None:
    values[:, vector.INDEX["has_location"]] = 0
    values[:, vector.INDEX["distance_from_last_transaction"]] = -1
    values[:, vector.INDEX["distance_from_home"]] = -1


def test_after_a_day_without_locations_the_columns_that_remember_it_do_not_count_for_a_week(run: Run) -> None:
    run.score_day(0, change=nowhere)
    for day in range(1, 9):
        run.score_day(day)
    run.feed(clock_records(9))
    assert [fault["field"] for fault in run.reports[0].evidence["faults"]] == ["latitude"]
    left_out = [report.evidence["not_counted"] for report in run.reports]
    # The fault ends with its day: its seven days are days 1 to 7.
    assert left_out == [[], *[["distance_from_last_transaction"]] * 7, []]
    assert all("distance_from_last_transaction" in report.features for report in run.reports[1:])


def test_thin_windows_and_windows_without_reference_are_reported_but_not_judged(run: Run) -> None:
    run.score_day(0, version=None)
    run.score_day(1, rows=100)
    run.score_day(2, version="v9")
    run.feed(clock_records(3))
    # Of the first day, which nothing scored, there is nothing to say.
    assert run.verdicts() == ["ok"] * 2
    assert [report.action.split(":")[0] for report in run.reports] == ["too few rows", "not compared"]


def test_late_rows_are_counted(run: Run) -> None:
    run.score_day(0, rows=600)
    run.score_day(1, rows=600)
    run.score_day(0, rows=50)
    run.feed(clock_records(2))
    assert run.reports[1].evidence["late_rows"] == 50
