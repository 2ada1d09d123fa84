"""The skew check as it runs in production: a child process over a real archive and a real Feast store, into the metrics."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from features.archive.days import newest_complete_day
from features.base.durations import DAY_MS
from features.base.events import Score
from features.base.settings import Settings, load
from features.feast_repo.store import apply
from features.offline.point_in_time import write_profiles_offline
from features.online.store import ProfileRow
from features.transform.profiles import HOME_LAT, MEAN_MEASURE, PROFILE_WIDTH, USUAL_WIDTH
from streams.drift.skew_watch import SkewWatch
from streams.simulate.card_fraud.options import Options
from streams.writers.archive import Archived
from tests.served import archive, served, tampered, transactions

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def value(name: str, **labels: str) -> float:
    sample = REGISTRY.get_sample_value(f"driftloop_skew_{name}", labels)
    assert sample is not None
    return sample


@pytest.fixture(scope="module")
def rows() -> list[Archived]:
    return served(transactions(Options(cards=80, terminals=40, seed=6), 5))


@pytest.fixture
def settings(platform: Settings, tmp_path: Path) -> Settings:
    settings = load(tmp_path)
    settings.ports.redis = platform.ports.redis
    apply(settings)
    return settings


def newest(settings: Settings) -> int:
    day = newest_complete_day(settings.archive / "scores")
    assert day is not None
    return day


def test_a_tampered_vector_is_found_and_the_metric_says_so(settings: Settings, rows: list[Archived]) -> None:
    archive(settings, rows)
    day = newest(settings)
    watch = SkewWatch(settings)
    report = watch.look()
    assert report is not None
    assert {source: differences.differing for source, differences in report.sources.items()} == {
        "history": 0,
        "profile": 0,
        "counterpart": 0,
    }
    assert (value("values", source="history"), value("checked_vectors"), value("last_day")) == (0, report.vectors, day * 86_400)
    assert watch.look() is None, "the day is checked"

    elsewhere = load(settings.dir / "tampered")
    elsewhere.ports.redis = settings.ports.redis
    apply(elsewhere)
    wrong = next(i for i, row in enumerate(rows) if row.day == day)
    archive(elsewhere, tampered(rows, wrong, "max_90d"))
    report = SkewWatch(elsewhere).look()
    assert report is not None
    assert report.sources["history"].by_feature == {"max_90d": 1}
    assert value("values", source="history") == 1
    assert 0 < value("largest", source="history") < 0.1


def test_a_profile_that_came_too_late_is_freshness_skew(settings: Settings, rows: list[Archived]) -> None:
    archive(settings, rows)
    day = newest(settings)
    subject = next(row.event.event.subject for row in rows if row.day == day and isinstance(row.event, Score))
    profile = np.zeros(PROFILE_WIDTH, dtype=np.float32)
    profile[HOME_LAT], profile[MEAN_MEASURE] = 1.0, 10.0
    # The day before has it, and the scores were made without.
    write_profiles_offline(settings, [ProfileRow(subject, day * DAY_MS, profile, np.zeros(USUAL_WIDTH, dtype=np.int64))], "late")
    report = SkewWatch(settings).look()
    assert report is not None
    assert report.sources["history"].differing == report.sources["counterpart"].differing == 0
    assert report.sources["profile"].by_feature["ratio_to_usual_amount"] >= 1
    assert value("values", source="profile") == report.sources["profile"].differing > 0


def test_it_runs_beside_others_and_stops_in_the_middle(settings: Settings, rows: list[Archived]) -> None:
    archive(settings, rows)
    settings.skew.interval_s = 0.05
    watch = SkewWatch(settings)
    thread = threading.Thread(target=watch.run)
    thread.start()
    wait_for(lambda: watch.checking)
    watch.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert not watch.checking


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
