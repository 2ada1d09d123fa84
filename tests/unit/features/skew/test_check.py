from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.archive import layout
from features.archive.days import newest_complete_day
from features.base.events import Score
from features.base.settings import Settings, load
from features.catalogue.vector import FEATURES, N_STREAM
from features.domains.card_fraud.event import Payment
from features.skew.check import SOURCES, check
from features.skew.sample import read
from streams.simulate.card_fraud.options import Options
from streams.writers.archive import Archived
from tests.served import archive, served, tampered, transactions

FEATURE = "mean_7d"


@pytest.fixture(scope="module")
def rows() -> list[Archived]:
    return served(transactions(Options(cards=80, terminals=40, seed=6), 5))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path)


def checked_day(settings: Settings) -> int:
    day = newest_complete_day(settings.archive / "scores")
    assert day is not None
    return day


def test_every_feature_has_a_source() -> None:
    assert sorted(i for columns in SOURCES.values() for i in columns) == list(range(len(FEATURES)))
    assert SOURCES["history"] == list(range(N_STREAM))


def test_what_was_served_is_found_again(settings: Settings, rows: list[Archived]) -> None:
    archive(settings, rows)
    day = checked_day(settings)
    report = check(settings, day)
    of_the_day = [row for row in rows if row.day == day]
    assert report.vectors == report.sources["history"].vectors == len(of_the_day)
    assert list(report.sources) == ["history"], "there is no feature store in this folder"
    assert report.sources["history"].differing == 0
    assert report.sources["history"].features == N_STREAM


def test_a_bit_that_was_changed_is_found(settings: Settings, rows: list[Archived]) -> None:
    archive(settings, rows)
    day = checked_day(settings)
    wrong = next(i for i, row in enumerate(rows) if row.day == day)
    elsewhere = load(settings.dir / "tampered")
    archive(elsewhere, tampered(rows, wrong, FEATURE))
    report = check(elsewhere, day).sources["history"]
    assert (report.differing, report.by_feature) == (1, {FEATURE: 1})
    assert (report.first[0].kafka_partition, report.first[0].kafka_offset) == (rows[wrong].partition, rows[wrong].offset)


def test_a_sample_is_of_a_few_cards_and_of_others_each_day(settings: Settings, rows: list[Archived]) -> None:
    archive(settings, rows)
    day = checked_day(settings)
    scores = settings.archive / "scores"
    first, again, other = read(scores, day, 10), read(scores, day, 10), read(scores, day - 1, 10)
    assert first.subjects == 10
    subjects = [set(sample.served.column("card_id").to_pylist()) for sample in (first, again, other)]
    assert len(subjects[0]) == 10
    assert subjects[0] == subjects[1] != subjects[2]
    assert set(first.history.column("card_id").to_pylist()) == subjects[0]
    assert first.history.num_rows > first.served.num_rows


def test_files_from_before_kinds_hold_purchases(settings: Settings, rows: list[Archived]) -> None:
    """The folder went on under a version that has the column; some of its files, or all, have none."""
    layout.create(settings)
    payments = [row.event.event for row in rows if isinstance(row.event, Score)]
    archive(settings, served([payment for payment in payments if isinstance(payment, Payment) and payment.kind is None]))
    wanted = check(settings, checked_day(settings))
    files = sorted((settings.archive / "scores").glob("day=*/*.parquet"))
    for part in (files[::2], files):
        for file in part:
            old = pq.ParquetFile(file).read()
            pq.write_table(old.drop_columns([name for name in ("kind",) if name in old.column_names]), file)
        report = check(settings, checked_day(settings))
        assert report.sources["history"].differing == 0
        assert report.vectors == wanted.vectors > 0


def test_the_empty_file_of_before_gets_the_columns_of_today(settings: Settings) -> None:
    empty = settings.archive / "scores" / "_schema" / "empty.parquet"
    layout.write(layout.SCORES.empty_table().drop_columns(["kind"]), empty)
    layout.create(settings)
    assert "kind" in pq.read_schema(empty).names
    written = empty.stat().st_mtime_ns
    layout.create(settings)
    assert empty.stat().st_mtime_ns == written
