from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.archive import generations
from features.archive.days import MARGIN_MS, day_folders, day_name, day_number, newest_complete_day, rows
from features.base.durations import DAY_MS

DAY = 20_500


def put(scores: Path, day: int, partition: int, *times_after_midnight: int, last: int = 9) -> None:
    folder = scores / day_name(day)
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({"event_time_ms": [day * DAY_MS + time for time in times_after_midnight]})
    pq.write_table(table, folder / f"scores-{partition}-{0:012d}-{last:012d}.parquet")


def test_names_and_numbers_of_days() -> None:
    assert day_name(DAY) == "day=2026-02-16"
    assert day_number("day=2026-02-16") == DAY
    with pytest.raises(ValueError, match="does not match"):
        day_number("day=today")


def test_folders_between_times(tmp_path: Path) -> None:
    assert day_folders(tmp_path / "none") == []
    for day in (DAY, DAY + 1, DAY + 3):
        put(tmp_path, day, 0, 5)
    (tmp_path / day_name(DAY + 2)).mkdir()
    assert [day_number(f.name) for f in day_folders(tmp_path)] == [DAY, DAY + 1, DAY + 3]
    start, end = (DAY + 1) * DAY_MS + 5, (DAY + 3) * DAY_MS
    assert [day_number(f.name) for f in day_folders(tmp_path, start, end)] == [DAY + 1]
    assert [day_number(f.name) for f in day_folders(tmp_path, start, end + 1)] == [DAY + 1, DAY + 3]
    assert rows(day_folders(tmp_path)) == 3


def test_a_day_is_complete_when_every_partition_is_well_into_the_next(tmp_path: Path) -> None:
    assert newest_complete_day(tmp_path) is None
    for partition in (0, 1):
        put(tmp_path, DAY, partition, 5)
    assert newest_complete_day(tmp_path) is None
    put(tmp_path, DAY + 1, 0, MARGIN_MS)
    assert newest_complete_day(tmp_path) is None, "partition 1 is behind"
    put(tmp_path, DAY + 1, 1, 3, MARGIN_MS - 1)
    assert newest_complete_day(tmp_path) is None, "partition 1 has hardly begun the day"
    put(tmp_path, DAY + 1, 1, MARGIN_MS + 5, last=12)
    assert newest_complete_day(tmp_path) == DAY


def test_a_partition_that_went_quiet_holds_nobody_up(tmp_path: Path) -> None:
    put(tmp_path, DAY, 0, 5)
    put(tmp_path, DAY, 1, 5)
    put(tmp_path, DAY + 2, 0, 5)
    assert newest_complete_day(tmp_path) is None
    put(tmp_path, DAY + 3, 0, 5)
    assert newest_complete_day(tmp_path) == DAY + 2 - 2


def test_after_a_repartition_the_partitions_that_followed_are_waited_for(tmp_path: Path) -> None:
    first, second = (generations.STEP + partition for partition in (0, 1))
    put(tmp_path, DAY, 0, 5)
    put(tmp_path, DAY, first, 9)
    put(tmp_path, DAY + 1, first, MARGIN_MS)
    put(tmp_path, DAY + 1, second, MARGIN_MS - 1)
    assert newest_complete_day(tmp_path) is None, "one of the new partitions has hardly begun the day"
    put(tmp_path, DAY + 1, second, MARGIN_MS)
    assert newest_complete_day(tmp_path) == DAY, "nothing more can come into the old partition"
