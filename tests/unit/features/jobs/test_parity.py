"""Parity of all columns without Spark, Kafka and Redis: what one bucket of cards gives, on a real offline store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.base.events import Score
from features.base.sections import Features, Labels
from features.base.settings import Settings, SettingsError, load
from features.catalogue.vector import N_STREAM, NAMES, WIDTH, unpacked
from features.feast_repo.store import apply
from features.jobs.parity import compare, of_a_bucket
from features.online.cached_reader import Reader
from features.skew.differences import Differences
from streams import topics
from streams.simulate.card_fraud.options import Options
from streams.writers.archive import Archived, table
from tests.at_rest import Newest, Tables, tables
from tests.served import disordered, history, served, tampered

END = 2**62
OPTIONS, DAYS = Options(cards=60, terminals=40, seed=4), 40


def world(folder: Path, labels: Labels) -> tuple[Settings, list[Archived]]:
    """A store that knows all outcomes and profiles, and the vectors of the stream that read it."""
    settings = load(folder)
    settings.labels = labels
    settings.ports.redis = 16_379  # nobody is asked there
    apply(settings)
    events, label_events = history(OPTIONS, DAYS, "p-")
    store: Tables = tables(events, label_events, labels, settings.feast)
    store.write_offline(settings)
    reader = Reader(Newest(store), settings.feast)
    return settings, served(disordered(events, twice=0.0), profiles=reader, labels=labels)


def compared(rows: list[Archived], settings: Settings, store: Settings | None = None) -> Differences:
    return of_a_bucket(table(topics.SCORES, rows), settings.features, 0, END, store or settings)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[Archived]]:
    return world(tmp_path_factory.mktemp("store"), Labels())


def test_all_columns_agree_and_none_is_constant(stored: tuple[Settings, list[Archived]]) -> None:
    settings, rows = stored
    assert compared(rows, settings) == Differences(len(rows), WIDTH)
    vectors = np.array([unpacked(row.event.features) for row in rows if isinstance(row.event, Score)])
    constant = [name for name, column in zip(NAMES, vectors.T, strict=True) if len(np.unique(column)) == 1]
    assert not constant, "a column that never changes proves nothing"


def test_one_bit_of_each_column_that_was_read_is_found(stored: tuple[Settings, list[Archived]]) -> None:
    settings, rows = stored
    read = NAMES[N_STREAM:]
    wrong = rows
    for i, feature in enumerate(read):
        wrong = tampered(wrong, 1000 + i, feature)
    report = compared(wrong, settings)
    assert report.differing == len(read) == 24
    assert report.by_feature == dict.fromkeys(sorted(read), 1)
    places = {(row.partition, row.offset): feature for row, feature in zip(rows[1000:], read, strict=False)}
    assert all(places[difference.kafka_partition, difference.kafka_offset] == difference.feature for difference in report.first)


@pytest.mark.parametrize("labels", [Labels(delay_days=3.5, step_hours=24), Labels(delay_days=2.3, step_hours=5)])
def test_a_delay_that_is_no_multiple_of_the_step(tmp_path: Path, labels: Labels) -> None:
    settings, rows = world(tmp_path, labels)
    assert compared(rows, settings) == Differences(len(rows), WIDTH)


def test_tables_that_say_something_else_are_found(stored: tuple[Settings, list[Archived]]) -> None:
    """A horizon that is a day nearer lets terminals say more."""
    settings, rows = stored
    nearer = settings.model_copy(update={"labels": Labels(delay_days=6.0)})
    report = compared(rows, settings, nearer)
    assert {name.split("_")[0] for name in report.by_feature} == {"terminal"}
    assert report.by_feature["terminal_count_7d"] > len(rows) // 10


def test_a_store_that_needs_a_spark_of_its_own_is_refused(tmp_path: Path) -> None:
    settings = load(tmp_path)
    settings.feast.offline = "spark"
    nothing: Any = None
    with pytest.raises(SettingsError, match=r"feast\.offline is spark"):
        compare(nothing, Features(), store=settings)
