from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.base.durations import DAY_MS
from features.domains.card_fraud.event import Payment
from streams.publish.batch import Batch
from streams.publish.encode import encode_events
from streams.replay.errors import ReplayError
from streams.replay.mapping import parse_map
from streams.replay.replay import Replay, day_ms
from streams.replay.rows import FileColumns

#: Day of April 2018, hour, fraud.
ROWS = [(1, 8, 0), (1, 9, 1), (2, 0, 0), (2, 23, 0), (5, 3, 1), (5, 3, 0), (6, 12, 0), (9, 1, 1)]


def table(rows: list[tuple[int, int, int]]) -> pa.Table:
    return pa.table(
        {
            "TRANSACTION_ID": pa.array(range(len(rows)), pa.int32()),
            "TX_DATETIME": pa.array([datetime(2018, 4, d, h) for d, h, _ in rows], pa.timestamp("ms")),
            "CUSTOMER_ID": pa.array([i % 3 for i in range(len(rows))], pa.int32()),
            "TERMINAL_ID": pa.array([i % 2 for i in range(len(rows))], pa.int32()),
            "TX_AMOUNT": pa.array([10.29 + i for i in range(len(rows))]),
            "TX_FRAUD": pa.array([f for _, _, f in rows], pa.int8()),
            "TX_FRAUD_SCENARIO": pa.array([2 * f for _, _, f in rows], pa.int8()),
        }
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    pq.write_table(table(ROWS), path, row_group_size=3)
    return path


def ids(batches: list[Batch]) -> list[list[str]]:
    return [batch.transactions.event_id.tolist() for batch in batches]


def test_one_batch_a_day_the_empty_ones_too(file: Path) -> None:
    batches = list(Replay(file).batches())
    assert ids(batches) == [["0", "1"], ["2", "3"], [], [], ["4", "5"], ["6"], [], [], ["7"]]
    assert batches[0].start_ms == day_ms(date(2018, 4, 1))
    assert all(a.end_ms == b.start_ms for a, b in pairwise(batches))
    assert encode_events(batches[0].transactions)[0] == (
        b'{"transaction_id":"0","event_time_ms":1522569600000,"card_id":"0","terminal_id":"0","amount_minor":1029,"currency":"EUR"}'
    )


def test_labels_are_chargebacks_after_the_delay(file: Path) -> None:
    batches = list(Replay(file, label_delay_days=2.5).batches())
    labels = batches[4].labels
    assert labels.event_id.tolist() == ["4"]
    assert (labels.label_time_ms - labels.event_time_ms).tolist() == [2.5 * DAY_MS]
    assert labels.source.tolist() == [0]
    assert batches[4].truth.names[batches[4].truth.pattern[0]] == "scenario_2"
    assert sum(len(batch.labels) for batch in batches) == 3


def test_a_range_of_days_and_what_is_owed_at_its_beginning(file: Path) -> None:
    replay = Replay(file)
    assert ids(list(replay.batches(date(2018, 4, 2), date(2018, 4, 5)))) == [["2", "3"], [], [], ["4", "5"]]
    assert ids(list(replay.batches(date(2018, 4, 4), date(2018, 4, 4)))) == []
    assert replay.pending_labels(date(2018, 4, 6)).event_id.tolist() == ["1", "4"]
    assert replay.pending_labels(date(2018, 4, 9)).event_id.tolist() == ["4"]


def test_another_file_by_its_own_names(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    names = ["id", "at", "who", "where", "how_much", "bad", "kind"]
    own = table(ROWS).rename_columns(names)
    # Yen have no cents.
    own = own.set_column(4, "how_much", pa.array([10 + i for i in range(len(ROWS))]))
    own = own.append_column("mode", pa.array(["chip"] * len(ROWS))).append_column("money", pa.array(["JPY"] * len(ROWS)))
    pq.write_table(own, path)
    specs = ["transaction_id=id", "event_time=at", "card_id=who", "terminal_id=where", "amount=how_much", "is_fraud="]
    batch = next(Replay(path, FileColumns(parse_map([*specs, "entry_mode=mode", "currency=money"]))).batches())
    assert batch.transactions.mode.tolist() == [0, 0]
    assert batch.transactions.measure.tolist() == [10, 11]
    assert batch.transactions.currency.tolist() == ["JPY", "JPY"]
    assert len(batch.labels) == 0


def test_kinds_of_payments_come_with_the_file_and_only_purchases_are_frauds(tmp_path: Path) -> None:
    path = tmp_path / "kinds.parquet"
    kinds = ["refund", None, "purchase", "declined", "reversal", "purchase"]
    frauds = pa.array([1] * 6)
    own = table(ROWS).slice(0, 6)
    at = own.schema.get_field_index("TX_FRAUD")
    pq.write_table(own.set_column(at, "TX_FRAUD", frauds).append_column("what", pa.array(kinds)), path)
    batches = list(Replay(path, FileColumns(parse_map(["kind=what"]))).batches())
    decode = msgspec.json.Decoder(Payment).decode
    sent = [decode(row) for batch in batches for row in encode_events(batch.transactions)]
    assert [payment.kind for payment in sent] == ["refund", None, None, "declined", "reversal", None]
    labelled = [event_id for batch in batches for event_id in batch.labels.event_id.tolist()]
    assert labelled == [payment.event_id for payment in sent if payment.kind is None]
    pq.write_table(own.append_column("kind", pa.array(["gift"] * 6)), path)
    with pytest.raises(ReplayError, match="column kind holds 'gift'; kind is one of purchase, refund, reversal, declined"):
        list(Replay(path, FileColumns(parse_map(["kind=kind"]))).batches())


def test_a_file_out_of_order_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mixed.parquet"
    pq.write_table(table([*ROWS[3:], *ROWS[:3]]), path, row_group_size=5)
    with pytest.raises(ReplayError, match="not in order of TX_DATETIME: row 6 is earlier"):
        list(Replay(path).batches())


def test_a_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "text.parquet"
    path.write_text("no")
    with pytest.raises(ReplayError, match="cannot be read as Parquet"):
        Replay(path)
    with pytest.raises(ReplayError, match="cannot be read as Parquet"):
        Replay(tmp_path / "absent.parquet")
    with pytest.raises(ReplayError, match="--currency is 'euro'"):
        FileColumns(currency="euro")
