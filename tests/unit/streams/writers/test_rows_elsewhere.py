"""Archive and offline rows in an object store, which has no rename, no lock and no append; what needs a folder says so."""

from __future__ import annotations

import threading
from io import BytesIO
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tests.object_store  # noqa: F401 - registers strict://
from features.archive import generations, layout, manifest, stores
from features.base import storage
from features.base.durations import DAY_MS
from features.base.events import Outcome
from features.base.settings import FILE_NAME, Settings, SettingsError, load
from features.base.storage import Store
from features.catalogue.vector import SCHEMA
from features.offline.point_in_time import append_counterpart_risk
from infra.cli import main
from infra.inspect.archive import history
from streams.kafka.records import Record
from streams.writers.archive import Archive, ArchiveSink
from streams.writers.compaction_watch import CompactionWatch
from streams.writers.counterpart_risk import CounterpartRisk
from tests.unit.streams.records import DAY, T0, record, score


def rows_at(folder: Path, root: str) -> Settings:
    (folder / FILE_NAME).write_text(f'[storage]\nrows = "{root}"\n')
    return load(folder)


@pytest.fixture(params=["strict:/", "file://"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return rows_at(tmp_path, f"{request.param}{tmp_path}/rows")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    return rows_at(tmp_path, f"strict:/{tmp_path}/rows")


def write(settings: Settings, records: list[Record]) -> None:
    ArchiveSink(settings).write(Archive(SCHEMA, generations.read(stores.archive(settings))).process(records).rows)


def tables(store: Store, folder: str) -> list[pa.Table]:
    names = [name for name in store.names(folder) if name.endswith(".parquet")]
    return [pq.read_table(BytesIO(store.read(f"{folder}/{name}")), partitioning=None) for name in names]


def offsets(settings: Settings) -> list[int]:
    """Of all archived scores, sorted."""
    archive = stores.archive(settings)
    day_tables = [table for day in archive.names("scores") for table in tables(archive, f"scores/{day}")]
    return sorted(offset for table in day_tables for offset in table["kafka_offset"].to_pylist())


def test_each_record_is_archived_once_whatever_is_written_again(settings: Settings) -> None:
    records = [record("scores", i, score(f"x{i}", T0 + i % 2 * DAY)) for i in range(40)]
    for batch in (records[:10], records[10:25], records[:25], records[7:31], records[28:]):
        write(settings, batch)
    assert len(stores.archive(settings).names("scores")) == 2
    assert offsets(settings) == list(range(40))
    assert manifest.read(stores.archive(settings)).topics["scores"][0].next_offset == 40


def test_two_writers_at_once_archive_each_record_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_POLL_S", 0.001)
    records = [record("scores", i, score(f"x{i}", T0)) for i in range(20)]
    threads = [threading.Thread(target=write, args=(settings, records[:cut])) for cut in (5, 11, 17, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert offsets(settings) == list(range(20))


def test_terminal_rows_are_appended_once(settings: Settings) -> None:
    outcomes = [Outcome("x", "c", counterpart, T0, T0, False, "matured") for counterpart in ("a", "b", "c")]
    core = CounterpartRisk(7 * DAY_MS, DAY_MS)
    (rows,) = core.process([record("outcomes", i, outcome) for i, outcome in enumerate(outcomes)]).rows
    for _ in range(2):
        append_counterpart_risk(settings, rows.counterparts, rows.partition, rows.last)
    (table,) = tables(stores.rows(settings), layout.COUNTERPART_RISK_ROWS)
    assert table.schema.equals(layout.COUNTERPART_RISK)
    assert sorted(table["terminal_id"].to_pylist()) == ["a", "b", "c"]


def test_every_view_has_its_columns_before_its_first_row(settings: Settings) -> None:
    layout.create(settings)
    layout.create(settings)
    for place in ("archive/scores", "archive/outcomes", layout.COUNTERPART_RISK_ROWS, layout.OWNER_PROFILE_ROWS):
        (table,) = tables(stores.rows(settings), f"{place}/_schema")
        assert table.num_rows == 0


def test_what_merges_files_names_the_setting(
    elsewhere: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", "")
    assert main.run(["--dir", str(elsewhere.dir), "archive", "compact"]) == 2
    message = capsys.readouterr().err
    assert "storage.rows is a strict:// URL, and what was asked needs a folder; name one" in message
    assert message.count("\n") == 1


def test_the_watch_that_merges_files_says_so_and_ends_nothing(elsewhere: Settings, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere.writers.compact_s = 0.001
    watch = CompactionWatch(elsewhere)
    thread = threading.Thread(target=watch.run)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    watch.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert [line.levelname for line in caplog.records] == ["WARNING"]
    assert "storage.rows is a strict:// URL" in caplog.text


def test_the_archive_is_described_and_looked_into_from_any_host(
    elsewhere: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLOOP_DIR", "")
    write(elsewhere, [record("scores", i, score(f"x{i}", T0 + i * DAY // 20)) for i in range(40)])
    assert main.run(["--dir", str(elsewhere.dir), "archive", "status", "--json"]) == 0
    status = msgspec.json.decode(capsys.readouterr().out)
    assert status["archive"] == f"{elsewhere.rows_root}/archive"
    assert status["topics"]["scores"]["0"]["next_offset"] == 40
    assert len(history(elsewhere, "c", 50, [])) == 40


def test_dead_letters_of_before_and_after_a_repartition_are_told_apart(settings: Settings) -> None:
    archive = stores.archive(settings)
    generation = generations.Generation(begun_ms=5, partitions=8, revisions=3, letters=7)
    for _ in range(2):
        generations.begin(archive, generation)
    assert generations.read(archive) == generations.Generations((generation,))


def test_two_places_for_the_rows_are_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[storage]\nrows = "a"\n[feast]\nroot = "b"\n')
    with pytest.raises(SettingsError, match=r"storage\.rows and feast\.root both say where rows lie; keep one"):
        load(tmp_path)
