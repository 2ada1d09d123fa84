from __future__ import annotations

from pathlib import Path

import msgspec

from features.archive.days import day_name
from features.catalogue.vector import SCHEMA
from features.jobs.backfill_progress import DONE, DoneDay, Stretch, done_days, remove, runs_of, started

DAY = 20_500


def test_days_are_cut_at_gaps_and_at_the_longest() -> None:
    assert runs_of([], 3) == []
    assert runs_of([5, 1, 2, 3, 4, 9], 3) == [(1, 4), (4, 6), (9, 10)]


def test_a_stretch_is_done_when_all_its_buckets_are(tmp_path: Path) -> None:
    stretch = Stretch(tmp_path, DAY, DAY + 2, 3)
    assert stretch.pending() == [0, 1, 2]
    assert started(tmp_path, DAY, DAY + 2) is None
    stretch.bucket_done(1, {DAY: 5, DAY + 1: 7})
    stretch.bucket_done(1, {DAY: 5, DAY + 1: 7})
    assert (stretch.pending(), stretch.rows(), started(tmp_path, DAY, DAY + 2)) == ([0, 2], 12, 3)
    stretch.bucket_done(0, {})
    stretch.bucket_done(2, {DAY: 1})
    (tmp_path / day_name(DAY)).mkdir()
    (tmp_path / day_name(DAY) / ".bucket-00000-of-00003.parquet.77.tmp").touch()
    assert (stretch.pending(), done_days(tmp_path)) == ([], {})
    stretch.finish(SCHEMA)
    assert done_days(tmp_path) == {DAY: 6, DAY + 1: 7}
    marks = [msgspec.json.decode((tmp_path / day_name(day) / DONE).read_bytes(), type=DoneDay) for day in stretch.days]
    assert marks == [DoneDay(SCHEMA, 6, 3), DoneDay(SCHEMA, 7, 3)]
    assert [path.name for path in (tmp_path / day_name(DAY)).iterdir()] == [DONE]
    assert started(tmp_path, DAY, DAY + 2) is None


def test_what_is_forced_is_gone_first(tmp_path: Path) -> None:
    for first in (DAY, DAY + 1):
        stretch = Stretch(tmp_path, first, first + 1, 1)
        stretch.file(first, 0).parent.mkdir(parents=True)
        stretch.file(first, 0).touch()
        stretch.bucket_done(0, {first: 1})
        stretch.finish(SCHEMA)
    Stretch(tmp_path, DAY, DAY + 2, 4).bucket_done(3, {})
    remove(tmp_path, [DAY, DAY + 5])
    assert done_days(tmp_path) == {DAY + 1: 1}
    assert not (tmp_path / day_name(DAY)).exists()
    assert started(tmp_path, DAY, DAY + 2) is None
