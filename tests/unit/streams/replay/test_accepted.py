"""A file that is accepted is taken by the scorer and the label joiner to its last row: their own intake reads it here."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from features.base.sections import Scoring, Units
from features.base.settings import Settings
from streams import topics
from streams.kafka.records import Record
from streams.labels.label_intake import LabelIntake
from streams.publish.encode import encode_events, encode_labels
from streams.replay.errors import ReplayError
from streams.replay.mapping import parse_map
from streams.replay.replay import Replay
from streams.replay.rows import FileColumns
from streams.scoring.intake import Intake, admission
from streams.scoring.measures import Measures
from tests.unit.streams.replay.files import SPECS, good

START = datetime(2018, 4, 1, 8)
LENGTHS = st.sampled_from([0, 1, 2, 63, 64, 65, 10_001])
TEXTS = st.builds(
    lambda size, letter: letter * size, LENGTHS, st.sampled_from(["x", "é", "\U0001f600", '"', "\\", "\n", "\x00", "7"])
)
NUMBERS = st.sampled_from([0, 1, -1, 2**53 - 1, 2**53, 2**63 - 1, 0.5, 13926.0, 4e18, -0.0, float("nan"), float("inf"), None])
#: What a column may hold: mostly good values, and those at the limits.
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "transaction_id": TEXTS | NUMBERS,
    "card_id": TEXTS | NUMBERS,
    "terminal_id": TEXTS | NUMBERS,
    "amount": st.sampled_from(
        [
            0,
            0.0,
            0.01,
            12.5,
            1e9,
            1_000_000_000.01,
            1e12,
            -0.01,
            0.005,
            1e-9,
            None,
            Decimal("1.00"),
            Decimal("0.001"),
            "12.50",
            "12,5",
            "1e5",
        ]
    ),
    "currency": st.sampled_from(["EUR", "JPY", "KWD", "eur", "EU", "EURO", "", "E R", None, "ÄÖÜ", "EUR\n"]),
    "latitude": st.sampled_from([90.0, -90.0, 90.000001, 89.9999999, float("nan"), float("inf"), None, 0]),
    "longitude": st.sampled_from([180.0, -180.0, 180.0000001, 179.9999999, None]),
    "country": TEXTS | NUMBERS,
    "merchant_category": TEXTS | NUMBERS,
    "entry_mode": st.sampled_from(["chip", "online", "wave", "", "CHIP", None]),
    "pin_used": st.sampled_from([True, False, None, 1, 0, 2, "Y", "maybe"]),
    "is_fraud": st.sampled_from([True, False, None, 1, 0, 2, "Y", "no", "maybe"]),
    "event_time": st.sampled_from(
        [
            START,
            datetime(2000, 1, 1),
            datetime(1999, 12, 31, 23, 59, 59, 999000),
            datetime(2099, 12, 31),
            datetime(2100, 1, 1),
            None,
        ]
    ),
}


def taken(replay: Replay) -> int:
    """Give the scorer's and the joiner's intake all that would be published; return how many events. Nothing may be dead."""
    only = admission(Scoring())
    scorer, joiner = Intake(Scoring(), lambda _: only, Measures(Settings(units=Units(missing="mark")))), LabelIntake(0)
    rows = 0
    for batch in replay.batches():
        values = encode_events(batch.transactions)
        if values:
            judged = scorer.take(
                [Record(topics.EVENTS, 0, rows + i, b"k", value, appended_ms=4_102_444_800_000) for i, value in enumerate(values)]
            )
            assert not judged.dead
            assert not judged.repeated
        labels = encode_labels(batch.labels)
        assert not joiner.take(
            [Record(topics.LABELS, 0, i, b"k", value, appended_ms=4_102_444_800_000) for i, value in enumerate(labels)]
        )[2]
        rows += len(values)
    return rows


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Three rows, good but for one or two columns, which have values at the limits."""
    columns = good(3)
    for name in draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=2, unique=True)):
        value = draw(COLUMNS[name])
        try:
            columns[name] = (
                pa.array([value] * 3)
                if name.endswith("time")
                else pa.array([columns[name][0].as_py(), value, columns[name][2].as_py()])
            )
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            # Values of two kinds make no column: all three are the same then.
            columns[name] = pa.array([value] * 3)
    return pa.table(columns)


def tried(path: Path) -> bool:
    """Check a file and, where it is accepted, hand it to the intakes. A refusal names what is wrong."""
    try:
        replay = Replay(path, FileColumns(parse_map(SPECS)))
        rows = replay.check().rows
    except ReplayError as error:
        assert "\n" not in str(error).replace("\\n", "")
        assert "row " in str(error) or "column " in str(error)
        return False
    assert taken(replay) == rows == 3
    return True


@settings(max_examples=400, deadline=None)
@given(tables())
def test_a_parquet_file_is_refused_or_taken_whole(table: pa.Table) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f.parquet"
        pq.write_table(table, path)
        tried(path)


@settings(max_examples=150, deadline=None)
@given(tables())
def test_a_csv_file_is_refused_or_taken_whole(table: pa.Table) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f.csv"
        try:
            pa.csv.write_csv(table, path)
        except pa.ArrowInvalid:
            return
        tried(path)


def test_the_limits_themselves_are_accepted(tmp_path: Path) -> None:
    """So that the two tests above do not pass by refusing everything."""
    columns = good(3)
    columns["card_id"] = pa.array(["x" * 64, "é" * 64, "\U0001f600" * 64])
    columns["country"] = pa.array(["x" * 64, None, "\U0001f600" * 64])
    columns["latitude"] = pa.array([90.0, -90.0, 89.9999999])
    columns["amount"] = pa.array([0.0, 1e9, 0.01])
    columns["event_time"] = pa.array([datetime(2000, 1, 1), START, datetime(2099, 12, 31)])
    pq.write_table(pa.table(columns), tmp_path / "f.parquet")
    assert tried(tmp_path / "f.parquet")


def test_a_label_that_would_come_after_all_time_is_refused_at_its_row(tmp_path: Path) -> None:
    columns = good(2)
    columns["event_time"] = pa.array([START, datetime(2099, 12, 31)])
    columns["is_fraud"] = pa.array([1, 1])
    pq.write_table(pa.table(columns), tmp_path / "f.parquet")
    replay = Replay(tmp_path / "f.parquet", FileColumns(parse_map(SPECS)))
    try:
        replay.check()
    except ReplayError as error:
        assert "row 2: its label would come after 2099; choose a smaller --label-delay-days" in str(error)
    else:
        raise AssertionError("it was accepted")


def test_an_id_in_two_row_groups_is_found_with_both_rows(tmp_path: Path) -> None:
    rows = 5000
    columns = good(rows)
    names = [f"t{i}" for i in range(rows)]
    names[4321] = "t17"
    columns["transaction_id"] = pa.array(names)
    columns["event_time"] = pa.array([START + timedelta(minutes=i) for i in range(rows)])
    pq.write_table(pa.table(columns), tmp_path / "f.parquet", row_group_size=1000)
    replay = Replay(tmp_path / "f.parquet", FileColumns(parse_map(SPECS)))
    try:
        replay.check()
    except ReplayError as error:
        assert "row 4,322: the transaction_id 't17' stands in row 18 already" in str(error)
    else:
        raise AssertionError("it was accepted")


def test_days_have_digests_by_their_rows_and_not_by_their_file(tmp_path: Path) -> None:
    columns = good(48)
    columns["event_time"] = pa.array([START + timedelta(hours=i) for i in range(48)])
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=5)
    pa.csv.write_csv(table, tmp_path / "b.csv")
    first, second = (Replay(tmp_path / name, FileColumns(parse_map(SPECS))).check() for name in ("a.parquet", "b.csv"))
    assert first == second
    assert list(first.days) == ["2018-04-01", "2018-04-02", "2018-04-03"]
    pq.write_table(table.slice(0, 20), tmp_path / "c.parquet")
    third = Replay(tmp_path / "c.parquet", FileColumns(parse_map(SPECS))).check().days
    assert third["2018-04-01"] == first.days["2018-04-01"]
    assert third["2018-04-02"] != first.days["2018-04-02"]
    assert np.all([len(digest) == 32 for digest in third.values()])
