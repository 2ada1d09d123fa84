"""Each record once, by day and partition, whatever is written again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.archive import layout, manifest
from features.archive.generations import STEP, Generation, Generations
from features.base.events import Outcome
from features.base.settings import Settings, load
from features.catalogue.vector import SCHEMA
from streams.kafka.records import Record
from streams.writers.archive import Archive, ArchiveSink
from tests.unit.streams.records import DAY, T0, record, score


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path)


def write(settings: Settings, records: list[Record]) -> None:
    ArchiveSink(settings).write(Archive(SCHEMA).process(records).rows)


def read(settings: Settings, topic: str) -> pa.Table:
    files = sorted((settings.archive / topic).glob("day=*/*.parquet"))
    return pa.concat_tables([pq.read_table(file, partitioning=None) for file in files])


def test_files_are_named_by_day_partition_and_offsets(settings: Settings) -> None:
    write(
        settings,
        [
            record("scores", 5, score("a", T0), partition=1),
            record("scores", 6, score("b", T0 + DAY), partition=1),
            record("scores", 7, score("c", T0), partition=1),
            record("scores", 2, score("d", T0)),
        ],
    )
    names = sorted(str(path.relative_to(settings.archive)) for path in settings.archive.rglob("*.parquet"))
    assert names == [
        "scores/day=2018-03-02/scores-0-000000000002-000000000002.parquet",
        "scores/day=2018-03-02/scores-1-000000000005-000000000007.parquet",
        "scores/day=2018-03-03/scores-1-000000000006-000000000006.parquet",
    ]


def test_a_score_keeps_its_fields(settings: Settings) -> None:
    write(settings, [record("scores", 5, score("a", T0 + 7, value=None, first_feature=0.1), partition=1)])
    table = read(settings, "scores")
    assert table.schema.equals(layout.SCORES)
    (row,) = table.to_pylist()
    assert (row["transaction_id"], row["event_time_ms"], row["amount_minor"], row["pin_used"]) == ("a", T0 + 7, 1234, True)
    assert row["longitude"] is None
    assert row["score"] is None
    assert row["features"][0] == float(np.float32(0.1))
    assert (row["kafka_partition"], row["kafka_offset"]) == (1, 5)
    assert int(row["event_timestamp"].timestamp() * 1000) == T0 + 7


def test_an_outcome_keeps_its_fields(settings: Settings) -> None:
    outcome = Outcome("x", "c", "t", T0, T0 + DAY, True, "analyst", measure=5, late=True)
    write(settings, [record("outcomes", 3, outcome)])
    table = read(settings, "outcomes")
    assert table.schema.equals(layout.OUTCOMES)
    (row,) = table.to_pylist()
    assert (row["event_id"], row["positive"], row["late"], row["score"]) == ("x", True, True, None)


def test_a_replay_in_other_batches_duplicates_nothing(settings: Settings) -> None:
    records = [record("scores", i, score(f"x{i}", T0 + i % 3 * DAY), partition=0) for i in range(40)]
    write(settings, records[:10])
    write(settings, records[10:25])
    write(settings, records[:25])
    write(settings, records[7:31])
    write(settings, records[28:])
    assert sorted(read(settings, "scores")["kafka_offset"].to_pylist()) == list(range(40))


def test_a_crash_within_a_write_is_mended_by_the_replay(settings: Settings) -> None:
    records = [record("scores", i, score(f"x{i}", T0 + i % 2 * DAY), partition=0) for i in range(10)]
    write(settings, [item for item in records if item.offset % 2 == 0])  # the first day's file made it, the second day's did not
    folder = next((settings.archive / "scores").glob("day=*"))
    (folder / ".scores-0-000000000001-000000000009.parquet.1.tmp").write_bytes(b"half a file")
    write(settings, records)
    assert sorted(read(settings, "scores")["kafka_offset"].to_pylist()) == list(range(10))


def test_the_manifest_says_how_far_each_partition_is_complete(settings: Settings) -> None:
    assert manifest.read(settings.archive) == manifest.Manifest()
    write(settings, [record("scores", 5, score("a", T0 + DAY), partition=1), record("scores", 7, score("b", T0), partition=1)])
    write(settings, [record("scores", 5, score("a", T0 + DAY), partition=1), record("scores", 0, score("c", T0 + 1))])
    partitions = manifest.read(settings.archive).topics["scores"]
    assert {p: (at.next_offset, at.newest_event_ms) for p, at in partitions.items()} == {0: (1, T0 + 1), 1: (8, T0 + DAY)}


def test_a_broken_manifest_is_named_with_the_way_out(settings: Settings) -> None:
    settings.archive.mkdir(parents=True)
    (settings.archive / "manifest.json").write_text("{")
    with pytest.raises(manifest.ManifestBroken, match=r"manifest\.json.*remove it"):
        manifest.read(settings.archive)


def test_bad_records_become_dead_letters(settings: Settings) -> None:
    output = Archive(SCHEMA).process(
        [record("scores", 0, b"?"), record("outcomes", 0, b"{}"), record("scores", 1, score("a", T0))]
    )
    assert [p.topic for p in output.produce] == ["dlq", "dlq"]
    assert len(output.rows) == 1


def test_after_a_repartition_the_same_offsets_are_other_records(settings: Settings) -> None:
    write(settings, [record("scores", offset, score(f"a{offset}", T0 + offset), partition=1) for offset in range(3)])
    moved = Archive(SCHEMA, Generations((Generation(1, 6, 0, 0),)))
    for _ in range(2):  # a batch may be written again
        rows = moved.process(
            [record("scores", offset, score(f"b{offset}", T0 + offset), partition=1) for offset in range(3)]
        ).rows
        ArchiveSink(settings).write(rows)
    table = read(settings, "scores")
    assert sorted(table.column("transaction_id").to_pylist()) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert {row["kafka_partition"] for row in table.to_pylist()} == {1, STEP + 1}
    assert {p: at.next_offset for p, at in manifest.read(settings.archive).topics["scores"].items()} == {
        1: 3,
        STEP + 1: 3,
    }
