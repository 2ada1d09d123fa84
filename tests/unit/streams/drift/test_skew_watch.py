from __future__ import annotations

import logging
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from features.base.redaction import hashed
from features.base.settings import Settings, load
from features.skew.differences import Difference, Differences
from features.skew.report import SkewReport
from streams.drift.skew_watch import SkewWatch, export
from streams.simulate.card_fraud.options import Options
from tests.served import archive, served, transactions

DAY = 20_500


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"driftloop_skew_{name}", labels)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path)


def test_a_report_becomes_metrics_and_a_line(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    difference = Difference("c1", "x1", DAY * 86_400_000, 2, 7, "mean_7d", 1.0, 1.5)
    subject = Differences(10, 3, differing=1, mean=0.5, largest=0.5, by_feature={"mean_7d": 1}, first=[difference])
    counterpart = Differences(10, 2, differing=4, mean=1.0, largest=2.0)
    with caplog.at_level(logging.INFO):
        export(settings, SkewReport(DAY, 3, 10, 0, 0.1, {"history": subject, "counterpart": counterpart}))
    assert (value("values", source="history"), value("largest", source="history")) == (1, 0.5)
    assert (value("values", source="counterpart"), value("largest", source="counterpart")) == (4, 2.0)
    assert (value("checked_vectors"), value("last_day")) == (10, DAY * 86_400)
    assert f"mean_7d of event {hashed(settings, 'x1')} (subject {hashed(settings, 'c1')}, 2:7);" in caplog.text
    assert not {"1.0", "1.5", "x1", "c1"} & set(caplog.messages[-1].replace("(", " ").replace(",", " ").split())


def test_nothing_to_check_is_no_failure(settings: Settings) -> None:
    before = value("failures_total")
    assert SkewWatch(settings).look() is None
    assert value("failures_total") == before


def test_a_check_that_fails_is_counted_and_disturbs_nobody(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    archive(settings, served(transactions(Options(cards=20, terminals=40, seed=1), 3)))
    for file in (settings.archive / "scores").glob("day=*/*.parquet"):
        if "2026-01-05" in str(file):
            file.write_bytes(b"no Parquet")
    before = value("failures_total") or 0
    assert SkewWatch(settings).look() is None
    assert value("failures_total") == before + 1
    assert "the check failed, and is tried again" in caplog.text


def test_it_ends_when_it_is_told_to(settings: Settings) -> None:
    settings.skew.interval_s = 0.001
    settings.skew.subjects = 0
    watch = SkewWatch(settings)
    watch.stop()
    watch.run()
    assert watch.health() == []
