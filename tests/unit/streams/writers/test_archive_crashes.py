"""Each record once, after crashes at every step of writing and of compacting, for every kind of reader, at every moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from features.archive import compaction, manifest
from features.archive.compaction import compact_all
from features.archive.places import places
from features.base.settings import Settings, load
from features.catalogue.vector import SCHEMA
from streams.kafka.records import Record
from streams.writers.archive import Archive, ArchiveSink
from tests.unit.streams.records import DAY, T0, record, score
from tests.unit.streams.writers.archive_crash import Crashed, crashing

PARTITIONS = 2


def logs(rng: np.random.Generator, n: int) -> list[list[Record]]:
    """Scores of both partitions over three days, out of order; one in ten cannot be read, and offsets have gaps."""
    by_partition = []
    for partition in range(PARTITIONS):
        offsets = np.cumsum(rng.integers(1, 3, n)).tolist()
        by_partition.append(
            [
                record(
                    "scores",
                    at,
                    score(f"{partition}-{at}", T0 + int(rng.integers(0, 3)) * DAY) if rng.random() > 0.1 else b"?",
                    partition,
                )
                for at in offsets
            ]
        )
    return by_partition


def good(log: list[list[Record]]) -> list[tuple[int, int]]:
    return sorted((r.partition, r.offset) for records in log for r in records if r.value != b"?")


def read(settings: Settings) -> list[tuple[int, int]]:
    files = sorted((settings.archive / "scores").glob("day=*/*.parquet"))
    tables = [pq.read_table(file, columns=["kafka_partition", "kafka_offset"], partitioning=None) for file in files]
    return sorted((p, o) for t in tables for p, o in zip(t.column(0).to_pylist(), t.column(1).to_pylist(), strict=True))


def check_promises(settings: Settings, log: list[list[Record]]) -> None:
    """What the manifest says is there is there."""
    archived = set(read(settings))
    for partition, through in manifest.read(settings.archive).topics.get("scores", {}).items():
        promised = {(p, o) for p, o in good(log) if p == partition and o < through.next_offset}
        assert promised <= archived


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_lost_or_repeated_whatever_crashes(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    settings = load(tmp_path)
    log = logs(rng, 50)
    committed = [0] * PARTITIONS
    crashed = 0
    with crashing() as crashes:
        while any(at < len(records) for at, records in zip(committed, log, strict=True)):
            core, sink = Archive(SCHEMA), ArchiveSink(settings)
            ends = [min(at + int(rng.integers(0, 15)), len(records)) for at, records in zip(committed, log, strict=True)]
            batch = [r for p, records in enumerate(log) for r in records[committed[p] : ends[p]]]
            crashes.after(int(rng.integers(1, 60)) if rng.random() < 0.6 else None)
            try:
                if rng.random() < 0.4:
                    compact_all(places(settings))
                rows = core.process(batch).rows
                if rows:
                    sink.write(rows)
                committed = ends
            except Crashed:
                crashed += 1
            crashes.after(None)
            got = read(settings)
            assert len(set(got)) == len(got), "repeated"
            kept = {(p, o) for p, o in good(log) if committed[p] and o <= log[p][committed[p] - 1].offset}
            assert kept <= set(got), "lost"
            check_promises(settings, log)
    assert read(settings) == good(log)
    assert crashed > 0
    compact_all(places(settings))
    assert read(settings) == good(log)
    days = list((settings.archive / "scores").glob("day=*"))
    assert len(days) == 3
    assert all(len(list(day.glob("*.parquet"))) <= PARTITIONS for day in days)
    # What was replaced stays for those who list it still, and then goes.
    monkeypatch.setattr(compaction, "GRACE_S", 0.0)
    compact_all(places(settings))
    assert not list((settings.archive / ".compaction").rglob("*.parquet"))


@given(data=st.data())
@hypothesis_settings(max_examples=15, deadline=None)
def test_every_step_of_a_write_and_a_compaction_may_be_the_last(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    settings = load(tmp_path_factory.mktemp("crash"))
    log = logs(np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))), 12)
    records = [r for partition in log for r in partition]
    cut = data.draw(st.integers(0, len(log[0])))
    with crashing() as crashes:
        for batch in ([*log[0][:cut], *log[1]], records):
            rows = Archive(SCHEMA).process(batch).rows
            crashes.after(data.draw(st.integers(1, 80)))
            try:
                ArchiveSink(settings).write(rows)
                compact_all(places(settings))
            except Crashed:
                got = read(settings)
                assert len(set(got)) == len(got)
            crashes.after(None)
            ArchiveSink(settings).write(rows)
    assert read(settings) == good(log)


def by_duckdb(scores: Path) -> list[tuple[int, int]]:
    """With a list of files: its own glob leaves out, without a word, what is gone when it looks again (docs/archive.md)."""
    files = list(map(str, scores.glob("*/*.parquet")))
    with duckdb.connect() as connection:
        rows: list[tuple[int, int]] = connection.execute(
            "select kafka_partition, kafka_offset from read_parquet(?)", [files]
        ).fetchall()
    return rows


def by_polars(scores: Path) -> list[tuple[int, int]]:
    return pl.scan_parquet(scores / "day=*" / "*.parquet").select("kafka_partition", "kafka_offset").collect().rows()


def by_pyarrow(scores: Path) -> list[tuple[int, int]]:
    table = ds.dataset(scores, format="parquet").to_table(columns=["kafka_partition", "kafka_offset"])
    return list(zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True))


@pytest.mark.parametrize("reader", [by_duckdb, by_polars, by_pyarrow])
def test_whoever_reads_meanwhile_sees_each_record_once(tmp_path: Path, reader: Callable[[Path], list[tuple[int, int]]]) -> None:
    """Readers that know of no lock. One that had listed a file which is gone is told so, and reads again."""
    settings = load(tmp_path)
    done = threading.Event()
    written = [0]
    sink = ArchiveSink(settings)

    def write(n: int) -> None:
        rows = Archive(SCHEMA).process([record("scores", n + i, score(f"{n + i}", T0 + i % 2 * DAY)) for i in range(4)]).rows
        sink.write(rows)
        written[0] = n + 4

    def work() -> None:
        for n in range(12, 12 + 4 * 40, 4):
            write(n)
            if n % 12 == 0:
                compact_all(places(settings))
        done.set()

    for n in range(0, 12, 4):
        write(n)
    worker = threading.Thread(target=work)
    worker.start()
    looks = 0
    while not done.is_set():
        before = written[0]
        try:
            seen = reader(settings.archive / "scores")
        except (OSError, duckdb.Error, pl.exceptions.ComputeError):
            continue
        looks += 1
        counts = Counter(seen)
        assert max(counts.values()) == 1
        # A batch is several files: the next one may be there in part.
        assert set(counts) >= {(0, at) for at in range(before)}
    worker.join(30)
    assert looks > 3
    assert sorted(reader(settings.archive / "scores")) == [(0, at) for at in range(written[0])]
