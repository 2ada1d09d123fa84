"""The watch merges what is due, and outlives what goes wrong."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from features.archive import exchange
from features.archive.places import MANY
from features.base.sections import Writers
from features.base.settings import Settings, load
from features.catalogue.vector import SCHEMA
from streams.writers.archive import Archive, ArchiveSink
from streams.writers.compaction_watch import CompactionWatch
from tests.unit.streams.records import T0, record, score


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path).model_copy(update={"writers": Writers(compact_s=0.01)})


def put(settings: Settings, first: int, n: int) -> None:
    for offset in range(first, first + n):
        ArchiveSink(settings).write(Archive(SCHEMA).process([record("scores", offset, score(f"s{offset}", T0))]).rows)


def files(settings: Settings) -> int:
    return len(list((settings.archive / "scores").rglob("*.parquet")))


def test_a_busy_day_is_merged_when_it_has_many_files_and_a_quiet_one_as_a_whole(settings: Settings) -> None:
    watch = CompactionWatch(settings)
    put(settings, 0, MANY - 1)
    assert watch.look().before == 0
    put(settings, MANY - 1, 1)
    assert (watch.look().before, files(settings)) == (MANY, 1)
    put(settings, MANY, 2)
    assert watch.look().before == 0
    (day,) = (settings.archive / "scores").glob("day=*")
    os.utime(day, (0, 0))
    assert (watch.look().before, files(settings)) == (3, 1)


def test_it_runs_until_it_is_stopped_and_goes_on_after_a_failure(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    put(settings, 0, MANY)
    watch = CompactionWatch(settings)
    whole = exchange.exchange
    failed = threading.Event()

    def fails_once(path: Path, other: Path) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError("the disk is full")
        whole(path, other)

    monkeypatch.setattr(exchange, "exchange", fails_once)
    thread = threading.Thread(target=watch.run)
    thread.start()
    for _ in range(500):
        if files(settings) == 1:
            break
        failed.wait(0.02)
        threading.Event().wait(0.02)
    watch.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert failed.is_set()
    assert files(settings) == 1
    assert watch.health() == []


def test_without_a_file_system_that_can_it_gives_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    put(settings, 0, MANY)
    monkeypatch.setattr("sys.platform", "darwin")
    CompactionWatch(settings).run()
    assert files(settings) == MANY
