"""What is merged, what is left alone, and who has to wait."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.archive import compaction, layout
from features.archive.compaction import CompactionFailed, Place, ReadersThere, compact, compact_all, last_offsets, runs
from features.archive.exchange import ExchangeUnsupported
from features.archive.locks import reading
from features.archive.places import least, places
from features.base.settings import Settings, load
from features.offline.point_in_time import append_counterpart_risk
from features.online.store import CounterpartRow

DAY = "day=2018-03-02"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path)
    layout.create(settings)
    return settings


def put(settings: Settings, partition: int, first: int, last: int, day: str = DAY) -> Path:
    rows = [{"kafka_partition": partition, "kafka_offset": offset} for offset in range(first, last + 1)]
    table = layout.OUTCOMES.empty_table()
    table = type(table).from_pylist(rows, schema=layout.OUTCOMES)
    path = settings.archive / "outcomes" / day / f"outcomes-{partition}-{first:012d}-{last:012d}.parquet"
    layout.write(table, path)
    return path


def place(settings: Settings) -> Place:
    (day,) = [place for place in places(settings) if place.folder.name == DAY]
    return day


def names(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.archive / "outcomes" / DAY).iterdir())


def test_small_files_of_a_partition_become_one(settings: Settings) -> None:
    for partition, first, last in ((0, 0, 4), (0, 5, 5), (0, 9, 12), (1, 3, 6)):
        put(settings, partition, first, last)
    alone = settings.archive / "outcomes" / DAY / "outcomes-1-000000000003-000000000006.parquet"
    inode = alone.stat().st_ino
    (settings.archive / "outcomes" / DAY / ".outcomes-0-000000000013-000000000013.parquet.7.tmp").write_bytes(b"torn")
    done = compact(place(settings))
    assert (done.before, done.after, done.rows) == (3, 1, 10)
    assert names(settings) == ["outcomes-0-000000000000-000000000012.parquet", "outcomes-1-000000000003-000000000006.parquet"]
    assert alone.stat().st_ino == inode
    merged = pq.read_table(settings.archive / "outcomes" / DAY / names(settings)[0], partitioning=None)
    assert merged["kafka_offset"].to_pylist() == [0, 1, 2, 3, 4, 5, 9, 10, 11, 12]
    assert last_offsets(settings.archive / "outcomes" / DAY) == {0: 12, 1: 6}
    assert compact(place(settings)).before == 0


def test_large_files_and_overlaps_are_left_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    large = put(settings, 0, 0, 900)
    monkeypatch.setattr(compaction, "SMALL_BYTES", large.stat().st_size)
    for first, last in ((901, 902), (903, 904), (904, 905)):
        put(settings, 0, first, last)
    (run,) = runs(large.parent, 2)
    assert [(file.first, file.last) for file in run] == [(901, 902), (903, 904)]
    assert runs(large.parent, 3) == []


def test_a_reader_is_waited_for(settings: Settings) -> None:
    put(settings, 0, 0, 1)
    put(settings, 0, 2, 3)
    with reading(settings.archive), reading(settings.archive), pytest.raises(ReadersThere):
        compact_all(places(settings))
    assert compact_all(places(settings)).before == 2


def test_what_cannot_be_exchanged_stays_as_it_is(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    put(settings, 0, 0, 1)
    put(settings, 0, 2, 3)
    before = names(settings)
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(ExchangeUnsupported, match="renameat2"):
        compact(place(settings))
    assert names(settings) == before


def test_rows_that_are_missing_stop_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    put(settings, 0, 0, 1)
    put(settings, 0, 2, 3)
    before = names(settings)
    whole = compaction._batches
    monkeypatch.setattr(compaction, "_batches", lambda path, schema: (batch.slice(1) for batch in whole(path, schema)))
    with pytest.raises(CompactionFailed, match="has 2 rows and should have 4"):
        compact(place(settings))
    assert names(settings) == before


def test_a_busy_folder_waits_for_many_files(settings: Settings) -> None:
    put(settings, 0, 0, 1)
    assert least(place(settings)) > 2
    import os

    os.utime(place(settings).folder, (0, 0))
    assert least(place(settings)) == 2


def counterpart(name: str, revision: int) -> CounterpartRow:
    return CounterpartRow(name, 1_520_000_000_000 + revision, np.array([[revision, 1, 0, 0]], dtype=np.int64), revision)


def test_rows_of_terminals_are_written_once_and_merged(settings: Settings) -> None:
    append_counterpart_risk(settings, [counterpart("a", 3), counterpart("b", 7)], 0, 7)
    append_counterpart_risk(settings, [counterpart("a", 3), counterpart("b", 7)], 0, 7)
    append_counterpart_risk(settings, [counterpart("b", 7), counterpart("a", 9)], 0, 11)
    append_counterpart_risk(settings, [counterpart("c", 2)], 1, 2)
    folder = layout.counterpart_risk_folder(settings)
    assert compact_all(places(settings)).before == 2
    tables = {path.name: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}
    assert list(tables) == ["outcomes-0-000000000003-000000000011.parquet", "outcomes-1-000000000002-000000000002.parquet"]
    assert tables["outcomes-0-000000000003-000000000011.parquet"]["revision"].to_pylist() == [3, 7, 9]
    assert (folder / "_schema" / "empty.parquet").exists()
