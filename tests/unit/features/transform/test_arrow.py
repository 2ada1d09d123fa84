from __future__ import annotations

import dataclasses
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from features.archive.generations import STEP
from features.base.durations import DAY_MS
from features.base.events import Score
from features.base.sections import Features
from features.base.settings import load
from features.catalogue.vector import N_STREAM, WIDTH
from features.domains.card_fraud.event import Payment
from features.transform.arrow import HISTORY_MS, Recomputation, in_log_order, lists, number, schema_of, vectors
from features.transform.columns import from_events, from_table
from streams import topics
from streams.simulate.card_fraud.options import Options
from streams.writers.archive import Archived, table
from tests.served import archive, served, transactions

SOME = [
    Payment("a", 1_600_000_000_000, "c1", "t1", 100, mode="chip", flag=True, latitude=1.25, longitude=-3.5),
    Payment("b", 1_600_000_001_000, "c2", "t2", 200, category="groceries", flag=False),
    Payment("c", 1_600_000_002_000, "c1", "t1", 0, mode="online"),
    Payment("d", 1_600_000_003_000, "c1", "t1", 100, kind="refund"),
]


def archived(events: list[Payment]) -> pa.Table:
    rows = [Archived(topics.SCORES, 0, i, row.event) for i, row in enumerate(served(events, 1)) if isinstance(row.event, Score)]
    return table(topics.SCORES, rows)


@pytest.mark.parametrize("events", [SOME, SOME[:1], SOME[1:2], []], ids=["all", "known", "unknown", "none"])
def test_a_table_gives_the_columns_that_the_events_give(events: list[Payment]) -> None:
    got, wanted = from_table(archived(events)), from_events(events)
    for field in dataclasses.fields(wanted):
        left, right = getattr(got, field.name), getattr(wanted, field.name)
        np.testing.assert_array_equal(left, right, err_msg=field.name)
        if isinstance(right, np.ndarray):
            assert left.dtype == right.dtype, field.name


def test_an_archive_from_before_kinds_holds_purchases() -> None:
    table = archived(SOME)
    assert from_table(table).kind.tolist() == [0, 0, 0, 1]
    assert from_table(table.drop_columns(["kind"])).kind.tolist() == [0, 0, 0, 0]
    at = table.schema.get_field_index("kind")
    foreign = table.set_column(at, "kind", pa.array(["refund", None, "barter", None]))
    with pytest.raises(ValueError, match="kind has 'barter'; it is one of purchase, refund"):
        from_table(foreign)


def test_unknown_values_survive_pandas() -> None:
    """As Spark hands them over: None and NaN for the same thing."""
    table = archived(SOME)
    there_and_back = pa.Table.from_pandas(table.to_pandas(), schema=table.schema, preserve_index=False)
    got, wanted = from_table(there_and_back), from_table(table)
    for field in dataclasses.fields(wanted):
        np.testing.assert_array_equal(getattr(got, field.name), getattr(wanted, field.name), err_msg=field.name)


def test_the_archive_gives_the_served_vectors_again(tmp_path: Path) -> None:
    settings = load(tmp_path)
    rows = served(transactions(Options(cards=60, terminals=40, seed=2), 5), partitions=3)
    archive(settings, rows)
    table = in_log_order(ds.dataset(settings.archive / "scores", format="parquet").to_table())
    assert table.num_rows == len(rows)
    wanted = vectors(table.column("features"))[:, :N_STREAM]
    whole = Recomputation(Features()).vectors(table)[:, :N_STREAM]
    np.testing.assert_array_equal(whole.view(np.uint32), wanted.view(np.uint32))
    parts = Recomputation(Features())
    pieces = [parts.vectors(table.slice(start, 77))[:, :N_STREAM] for start in range(0, table.num_rows, 77)]
    np.testing.assert_array_equal(np.vstack(pieces).view(np.uint32), wanted.view(np.uint32))


def test_vectors_become_lists_and_back() -> None:
    some = np.arange(3 * WIDTH, dtype=np.float32).reshape(3, WIDTH)
    assert lists(some).type == schema_of(("features",)).field("features").type
    np.testing.assert_array_equal(vectors(lists(some)), some)
    np.testing.assert_array_equal(vectors(pa.chunked_array([lists(some[:1]), lists(some[1:])])), some)
    for broken in (lists(some[:, :-1]), pa.array([None, [0.0] * WIDTH], pa.list_(pa.float32()))):
        with pytest.raises(ValueError, match="restore the archive"):
            vectors(broken)


def test_the_history_that_is_read_is_all_that_counts() -> None:
    """Two cards over 400 days, with late events and outliers: what lies before HISTORY_MS changes no bit."""
    rng = np.random.default_rng(5)
    n, start = 4000, 1_600_000_000_000
    times = np.sort(rng.integers(0, 400 * DAY_MS, n)) - np.where(rng.random(n) < 0.1, rng.integers(0, DAY_MS, n), 0)
    amounts = np.where(rng.random(n) < 0.02, 200_000, rng.integers(100, 5_000, n))
    events = [
        Payment(f"x{i}", start + int(times[i]), f"c{int(rng.integers(2))}", f"t{int(rng.integers(40))}", int(amounts[i]))
        for i in range(n)
    ]
    table = archived(events)
    time = number(table, "event_time_ms", np.int64)
    whole = Recomputation(Features()).vectors(table)
    low = start + 300 * DAY_MS
    for reach, enough in ((HISTORY_MS, True), (HISTORY_MS // 2, False)):
        read = np.flatnonzero(time >= low - reach)
        again = Recomputation(Features()).vectors(table.take(pa.array(read)))[time[read] >= low]
        same = bool((again.view(np.uint32) == whole[time >= low].view(np.uint32)).all())
        assert same == enough


def test_a_cards_history_goes_along_into_other_partitions() -> None:
    events = transactions(Options(cards=60, terminals=40, seed=3), 6)
    scores = [row.event for row in served(events, partitions=1) if isinstance(row.event, Score)]

    def partition(i: int, subject: str) -> int:
        number = zlib.crc32(subject.encode())
        return number % 3 if i < len(scores) // 2 else STEP + number % 2

    spread = [Archived(topics.SCORES, partition(i, s.event.subject), i, s) for i, s in enumerate(scores)]
    ordered = in_log_order(table(topics.SCORES, spread))
    wanted = vectors(ordered.column("features"))[:, :N_STREAM]
    parts = Recomputation(Features())
    pieces = [parts.vectors(ordered.slice(start, 77))[:, :N_STREAM] for start in range(0, ordered.num_rows, 77)]
    np.testing.assert_array_equal(np.vstack(pieces).view(np.uint32), wanted.view(np.uint32))
