from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.base.durations import DAY_MS
from features.base.sections import Features
from features.catalogue.vector import N_STREAM, SCHEMA
from features.jobs import backfill_bucket
from features.jobs.backfill_bucket import BACKFILLED, write_bucket
from features.jobs.backfill_progress import Stretch
from features.transform.arrow import number, vectors
from streams import topics
from streams.simulate.card_fraud.options import Options
from streams.writers.archive import table
from tests.served import served, transactions


@pytest.fixture(scope="module")
def log() -> pa.Table:
    return table(topics.SCORES, served(transactions(Options(cards=40, terminals=40, seed=4), 4), partitions=1))


@pytest.mark.parametrize("held", [1, 50, 100_000])
def test_days_are_written_as_they_were_served(log: pa.Table, tmp_path: Path, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_bucket, "HELD", held)
    day = number(log, "event_time_ms", np.int64) // DAY_MS
    stretch = Stretch(tmp_path, int(day[0]) + 1, int(day[0]) + 3, 2)
    written = write_bucket(stretch, 1, iter(log.to_batches(max_chunksize=33)), Features())
    assert stretch.pending() == [0]
    assert written == stretch.rows() == ((day == stretch.first) | (day == stretch.first + 1)).sum()
    for day_number in stretch.days:
        got, wanted = pq.read_table(stretch.file(day_number, 1)), log.filter(pa.array(day == day_number))
        assert got.schema.equals(BACKFILLED)
        same = [name for name in BACKFILLED.names if name not in {"features", "schema"}]
        assert got.select(same).equals(wanted.select(same))
        assert set(got.column("schema").to_pylist()) == {SCHEMA}
        left, right = (vectors(t.column("features"))[:, :N_STREAM] for t in (got, wanted))
        np.testing.assert_array_equal(left.view(np.uint32), right.view(np.uint32))
    assert not list(tmp_path.rglob(".bucket*"))


def test_an_empty_bucket_is_done(log: pa.Table, tmp_path: Path) -> None:
    stretch = Stretch(tmp_path, 1, 3, 1)
    assert write_bucket(stretch, 0, iter(log.to_batches()), Features()) == 0
    assert stretch.pending() == []


def test_a_bucket_that_fails_leaves_nothing(log: pa.Table, tmp_path: Path) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from log.to_batches()
        raise RuntimeError("the log ends here")

    day = int(number(log, "event_time_ms", np.int64)[0]) // DAY_MS
    stretch = Stretch(tmp_path, day, day + 4, 1)
    with pytest.raises(RuntimeError, match="the log ends here"):
        write_bucket(stretch, 0, broken(), Features())
    assert stretch.pending() == [0]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
