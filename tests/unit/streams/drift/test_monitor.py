"""The core as a processor: outcomes, requests, restarts, bad records."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.base.durations import DAY_MS
from features.base.events import DriftReport, Outcome
from features.base.sections import Drift
from streams import topics
from streams.drift.monitor import DriftMonitor
from streams.kafka.records import Record
from tests.unit.streams.drift.synthetic import (
    START_MS,
    GivenReferences,
    Run,
    clock_records,
    event_record,
    outcome_records,
    score_records,
    scores_of,
    settings_for,
    times_of,
    vectors,
)

#: No window has this many rows, so that Evidently, tested elsewhere, does not run.
NO_WINDOWS = Drift(min_rows=10_000_000, adwin_delta=0.02)


def new_run(folder: Path, drift: Drift = NO_WINDOWS) -> Run:
    return Run(DriftMonitor(settings_for(folder, drift), GivenReferences("v1", "v2", rows=1000)))


def live(run: Run, day: int, missed: float, version: str = "v1") -> None:
    run.feed(clock_records(day))
    run.feed(outcome_records(run.rng, day, 40, missed, version=version))


def test_frauds_that_are_missed_more_often_are_concept_drift(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.feed([event_record("promoted", 0, "v1")])
    for day in range(20):
        live(run, day, 0.2 if day < 10 else 0.7)
    assert run.verdicts("performance")[:10] == ["ok"] * 10
    request = run.requests[0]
    assert request.cause == "concept_drift"
    assert request.idempotency_key == "concept_drift-fraud-v1-1"
    # The change is on day 10; a window's frauds are judged when it closes.
    assert request.event_time_ms <= START_MS + 13 * DAY_MS
    assert request.labels > 2000
    assert request.evidence["error_before"] == pytest.approx(0.2, abs=0.1)
    assert request.evidence["error_after"] > 0.5
    # The champion stayed: asked again, but not before five days had passed.
    again = run.requests[1]
    assert again.idempotency_key == "concept_drift-fraud-v1-2"
    assert again.event_time_ms == request.event_time_ms + 5 * DAY_MS


def test_reports_tell_recall_and_average_precision(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.feed([event_record("promoted", 0, "v1")])
    for day in range(12):
        live(run, day, 0.2)
    report = [r for r in run.reports if r.kind == "performance"][-1]
    assert report.report_id == f"performance-v1-{START_MS + 10 * DAY_MS}"
    assert report.evidence["recall"] == pytest.approx(0.8, abs=0.1)
    assert 0.5 < report.evidence["ap"] <= 1.0
    assert report.evidence["error"] == pytest.approx(0.2, abs=0.1)


def test_a_promotion_starts_anew_and_the_old_version_is_silent(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.feed([event_record("promoted", 0, "v1")])
    for day in range(8):
        live(run, day, 0.1)
    run.feed([event_record("promoted", 8, "v2")])
    for day in range(8, 18):
        # Labels of v1's last week still come, and they are bad.
        live(run, day, 0.9, version="v1")
        run.feed(outcome_records(run.rng, day, 40, 0.3, version="v2"))
    assert run.requests == []
    assert {r.model_version for r in run.reports if r.kind == "performance" and r.window_start_ms > START_MS + 8 * DAY_MS} == {
        "v2"
    }


def test_while_a_run_is_under_way_nothing_is_asked(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.feed([event_record("promoted", 0, "v1"), event_record("running", 5, key="manual-1")])
    for day in range(16):
        live(run, day, 0.2 if day < 8 else 0.8)
        if day == 12:
            run.feed([event_record("rejected", 12, key="manual-1")])
    assert "concept_drift" in run.verdicts("performance")[:11]
    # The window that is open when the run ends is the first that may ask.
    assert run.requests[0].event_time_ms == START_MS + 13 * DAY_MS


def test_a_declined_request_is_made_again_after_a_day(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.feed([event_record("promoted", 0, "v1")])
    for day in range(16):
        live(run, day, 0.2 if day < 8 else 0.8)
        if len(run.requests) == 1:
            run.feed([event_record("declined", day, key=run.requests[0].idempotency_key)])
    assert run.requests[1].event_time_ms == run.requests[0].event_time_ms + DAY_MS


def test_the_first_model_is_asked_for_once_labels_are_enough(tmp_path: Path) -> None:
    run = new_run(tmp_path, Drift(min_rows=10_000_000, min_labels_first=1000, min_positives_first=100))
    for day in range(9):
        run.feed(outcome_records(run.rng, day, 40, 0.5, version=None))
    assert [request.idempotency_key for request in run.requests] == ["no_champion-fraud-1", "no_champion-fraud-2"]
    first, second = run.requests
    assert first.labels >= 1000
    assert first.evidence["positives"] >= 100
    assert second.event_time_ms - first.event_time_ms >= 3 * DAY_MS
    run.feed([event_record("promoted", 9, "v1")])
    for day in range(9, 15):
        run.feed(outcome_records(run.rng, day, 40, 0.5, version=None))
    assert len(run.requests) == 2


def test_outcomes_of_faulty_hours_say_nothing_about_the_champion(tmp_path: Path) -> None:
    run = new_run(tmp_path, Drift(min_rows=100, adwin_delta=0.02))
    monitor = run.monitor

    def spoil(values: np.ndarray, _times: np.ndarray) -> None:
        values[:, 0] *= 100

    for day in range(6):
        run.score_day(day, rows=300)
        run.feed(outcome_records(run.rng, day, 40, 0.1))
    run.score_day(6, rows=300, change=spoil)
    faulty = [
        Outcome(f"x{i}", "c", "m", START_MS + 6 * DAY_MS + i, START_MS + 6 * DAY_MS + 1000 + i, True, "chargeback",
                score=0.01, threshold=0.5, model_version="v1")
        for i in range(200)
    ]  # fmt: skip
    run.feed([Record(topics.OUTCOMES, i % 2, i, None, msgspec.json.encode(o)) for i, o in enumerate(faulty)])
    for day in (7, 8):
        run.score_day(day, rows=300)
        run.feed(outcome_records(run.rng, day, 40, 0.1))
    assert "data_fault" in run.verdicts()
    assert run.verdicts("performance") == ["ok"] * 8
    assert monitor.champion == "v1"


def test_bad_records_become_dead_letters_and_the_loop_goes_on(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.feed([Record(topic, 0, 0, None, value) for topic in run.monitor.inputs for value in (b"{", b"\xff", None, b"[]")])
    assert run.letters == 12
    live(run, 0, 0.2)


def test_rows_of_another_vector_are_counted_and_left_out(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    times = times_of(run.rng, 0, 10)
    records = score_records(times, vectors(run.rng, times), np.full(10, 0.1, dtype=np.float32))
    spoilt = [msgspec.json.decode(record.value or b"") for record in records]
    spoilt[0]["schema"] = "fraud_v0-0"
    spoilt[1]["features"] = "AAAAAA=="
    run.feed([Record(r.topic, r.partition, r.offset, None, msgspec.json.encode(s)) for r, s in zip(records, spoilt, strict=True)])
    run.feed(clock_records(1))
    assert run.reports[0].rows == 8
    assert run.reports[0].evidence["rows_with_another_schema"] == 2


def history() -> list[Record]:
    """Twelve days: a fault on day 3, concept drift from day 6."""
    rng = np.random.default_rng(11)
    records = [event_record("promoted", 0, "v1")]
    for day in range(12):
        times = times_of(rng, day, 400)
        values = vectors(rng, times)
        if day == 3:
            values[:, 0] *= 100
        records += score_records(times, values, scores_of(rng, values), first=day * 1_000_000)
        records += outcome_records(rng, day, 40, 0.1 if day < 6 else 0.9)
    return records


def by_id(run: Run) -> dict[str, DriftReport]:
    """What was said of each window: which of two windows that close in one batch is reported first is of no interest."""
    return {report.report_id: report for report in run.reports}


def test_reports_do_not_depend_on_batches(tmp_path: Path) -> None:
    runs = []
    for batch in (37, 4000):
        run = new_run(tmp_path, Drift(min_rows=200, adwin_delta=0.02))
        run.feed(history(), batch)
        runs.append(run)
    assert by_id(runs[0]) == by_id(runs[1])
    assert [r.idempotency_key for r in runs[0].requests] == [r.idempotency_key for r in runs[1].requests]
    assert runs[0].requests[0].exclude == [(START_MS + 3 * DAY_MS, START_MS + 4 * DAY_MS)]


def test_a_restart_says_nothing_twice_and_goes_on_as_before(tmp_path: Path) -> None:
    drift = Drift(min_rows=200, adwin_delta=0.02)
    records = history()
    cut = len(records) * 2 // 3
    whole, first, second = new_run(tmp_path, drift), new_run(tmp_path, drift), new_run(tmp_path, drift)
    whole.feed(records)
    first.feed(records[:cut])
    # As the shell does it: topic after topic, in the order in which the core names them.
    for topic in second.monitor.replays:
        second.monitor.restore([record for record in records[:cut] if record.topic == topic])
    second.feed(records[cut:])
    assert by_id(first) | by_id(second) == by_id(whole)
    assert not by_id(first).keys() & by_id(second).keys()
    assert [r.idempotency_key for r in first.requests + second.requests] == [r.idempotency_key for r in whole.requests]


def test_partitions_that_go_take_their_state_along(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    run.feed([event_record("promoted", 0, "v1")])
    live(run, 0, 0.2)
    run.monitor.forget([(topic, p) for topic in (topics.SCORES, topics.OUTCOMES) for p in (0, 1)] + [(topics.MODEL_EVENTS, 0)])
    assert run.monitor.champion is None
    again = new_run(tmp_path)
    for each in (run, again):
        each.rng = np.random.default_rng(8)
        each.reports.clear()
        each.feed([event_record("promoted", 0, "v1")])
        for day in range(4):
            live(each, day, 0.2)
    assert run.reports == again.reports
