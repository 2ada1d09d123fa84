"""Outcomes become tiles, one row a touched terminal, the same after a restart."""

from __future__ import annotations

from features.archive.generations import STEP, Generation, Generations
from features.base.durations import DAY_MS
from features.base.events import Outcome
from features.transform.counterpart_tiles import Tiles, as_of
from streams.writers.counterpart_risk import CounterpartRisk, PartitionRows
from tests.unit.streams.records import T0, record


def day(tiles: Tiles) -> list[int]:
    """Outcomes and frauds of the day of T0, as an event sees them that comes when they are due."""
    known = as_of(tiles, T0 // DAY_MS * DAY_MS + 8 * DAY_MS, 7 * DAY_MS, 24)
    return [int(known.outcomes[0]), int(known.positives[0])]


def outcome(counterpart: str, positive: bool = False, at: int = 0) -> Outcome:
    return Outcome("x", "c", counterpart, T0, T0 + at, positive, "matured")


def test_one_row_for_each_touched_terminal_with_its_newest_offset() -> None:
    core = CounterpartRisk(7 * DAY_MS, DAY_MS)
    records = [
        record("outcomes", 10, outcome("a", at=50)),
        record("outcomes", 11, outcome("b")),
        record("outcomes", 12, outcome("a", positive=True, at=20)),
        record("outcomes", 3, outcome("z"), partition=1),
    ]
    first, second = core.process(records).rows
    assert isinstance(first, PartitionRows)
    assert (first.partition, first.first, first.last) == (0, 10, 12)
    assert [(row.counterpart, row.revision, row.event_time_ms) for row in first.counterparts] == [
        ("a", 12, T0 + 50),
        ("b", 11, T0),
    ]
    assert day(first.counterparts[0].tiles) == [2, 1]
    assert (second.partition, second.first, second.last) == (1, 3, 3)


def test_each_day_that_a_batch_passes_leaves_a_row() -> None:
    times = [0, DAY_MS, DAY_MS + 1, 3 * DAY_MS]
    records = [record("outcomes", i, outcome("a", at=at)) for i, at in enumerate(times)]
    (rows,) = CounterpartRisk(7 * DAY_MS, DAY_MS).process(records).rows
    assert [(row.revision, row.event_time_ms - T0) for row in rows.earlier] == [(0, 0), (2, DAY_MS + 1)]
    assert [day(row.tiles)[0] for row in rows.earlier + rows.counterparts] == [1, 3, 4]


def test_steps_are_those_of_the_label_horizon() -> None:
    """Joins ask a delay after midnight, which is at T0's time of the day here."""
    delay = T0 % DAY_MS
    records = [record("outcomes", i, outcome("a", at=at)) for i, at in enumerate([0, DAY_MS - 1, DAY_MS, 2 * DAY_MS - 1])]
    (rows,) = CounterpartRisk(delay, DAY_MS).process(records).rows
    assert [row.revision for row in rows.earlier] == [1]


def test_rows_are_copies() -> None:
    core = CounterpartRisk(7 * DAY_MS, DAY_MS)
    (before,) = core.process([record("outcomes", 0, outcome("a"))]).rows
    core.process([record("outcomes", 1, outcome("a"))])
    assert day(before.counterparts[0].tiles) == [1, 0]


def test_a_restart_changes_nothing() -> None:
    records = [record("outcomes", i, outcome("a", positive=i % 3 == 0, at=i)) for i in range(9)]
    whole, again = CounterpartRisk(7 * DAY_MS, DAY_MS), CounterpartRisk(7 * DAY_MS, DAY_MS)
    whole.process(records[:5])
    again.restore(records[:5])
    (expected,), (got,) = whole.process(records[5:]).rows, again.process(records[5:]).rows
    assert got.counterparts[0].tiles.tolist() == expected.counterparts[0].tiles.tolist()
    assert got.counterparts[0].event_time_ms == expected.counterparts[0].event_time_ms


def test_forget_drops_the_partition() -> None:
    core = CounterpartRisk(7 * DAY_MS, DAY_MS)
    core.process([record("outcomes", 0, outcome("a"))])
    core.forget([("outcomes", 0)])
    (rows,) = core.process([record("outcomes", 1, outcome("a"))]).rows
    assert day(rows.counterparts[0].tiles) == [1, 0]


def test_a_bad_outcome_becomes_a_dead_letter() -> None:
    output = CounterpartRisk(7 * DAY_MS, DAY_MS).process([record("outcomes", 0, b"")])
    assert [p.topic for p in output.produce] == ["dlq"]
    assert output.rows == []


def test_revisions_go_on_after_a_repartition() -> None:
    core = CounterpartRisk(7 * DAY_MS, DAY_MS, Generations((Generation(1, 6, 500, 0),)))
    (rows,) = core.process(
        [record("outcomes", 2, outcome("a"), partition=4), record("outcomes", 3, outcome("b"), partition=4)]
    ).rows
    assert (rows.partition, rows.first, rows.last) == (STEP + 4, 502, 503)
    assert [row.revision for row in rows.counterparts] == [502, 503]
