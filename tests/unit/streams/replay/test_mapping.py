from __future__ import annotations

import pytest

from streams.replay.errors import ReplayError
from streams.replay.mapping import HANDBOOK, Field, parse_map, resolve
from streams.replay.rules import Rule

FILE = ["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD"]


def test_the_handbook_is_the_default_and_optional_columns_may_be_missing() -> None:
    assert resolve(parse_map([]), FILE, "f") == {k: Rule(column=v) for k, v in HANDBOOK.items() if k != "pattern"}


def test_columns_can_be_named_and_labels_left_out() -> None:
    mapping = parse_map(["card_id=who", "is_fraud="])
    columns = resolve(mapping, [*FILE, "who"], "f")
    assert columns["card_id"] == Rule(column="who")
    assert "is_fraud" not in columns


@pytest.mark.parametrize("field", ["transaction_id", "event_time", "card_id", "terminal_id", "amount", "is_fraud"])
def test_a_missing_column_is_named_with_the_way_out(field: Field) -> None:
    column = HANDBOOK[field]
    with pytest.raises(ReplayError, match=f"no column {column} for {field}; name it with --map {field}=COLUMN") as caught:
        resolve(parse_map([]), [c for c in FILE if c != column], "f")
    assert "\n" not in str(caught.value)


def test_a_column_that_was_asked_for_must_be_there() -> None:
    with pytest.raises(ReplayError, match="no column LAT for latitude"):
        resolve(parse_map(["latitude=LAT"]), FILE, "f")
    with pytest.raises(ReplayError, match="amount has no column"):
        resolve(parse_map(["amount="]), FILE, "f")


@pytest.mark.parametrize("spec", ["card_id", "colour=C", "=X"])
def test_a_wrong_map_lists_the_fields(spec: str) -> None:
    with pytest.raises(ReplayError, match="where FIELD is one of transaction_id, event_time"):
        parse_map([spec])
