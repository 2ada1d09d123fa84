"""What producers get wrong most is told what to send instead."""

from __future__ import annotations

import msgspec
import pytest

from features.base.events import Event
from streams.scoring.explained import explained

GOOD = {"transaction_id": "t", "event_time_ms": 1_767_600_000_000, "card_id": "c", "terminal_id": "m", "amount_minor": 100}


def refused(value: bytes) -> str:
    try:
        msgspec.json.decode(value, type=Event)
    except msgspec.MsgspecError as error:
        return str(explained(error))
    raise AssertionError("it was taken")


@pytest.mark.parametrize(
    ("field", "value", "way_out"),
    [
        ("event_time_ms", 1_767_600_000, "multiply seconds by 1,000"),
        ("event_time_ms", 1_767_600_000_000_000, "divide microseconds by 1,000"),
        ("amount_minor", 12.5, "in the smallest part of its unit"),
        ("amount_minor", -5, "kind refund"),
        ("currency", None, "leave the field out"),
        ("kind", "Refund", "kind is one of purchase, refund, reversal, declined"),
    ],
)
def test_a_frequent_mistake_names_the_field_and_the_way_out(field: str, value: object, way_out: str) -> None:
    message = refused(msgspec.json.encode({**GOOD, field: value}))
    assert way_out in message
    assert f"`$.{field}`" in message


def test_a_byte_order_mark_is_named() -> None:
    assert "leave out a byte order mark" in refused(b"\xef\xbb\xbf" + msgspec.json.encode(GOOD))


def test_other_errors_stay_as_they_are() -> None:
    error = ValueError("what")
    assert explained(error) is error
    assert refused(b"{") == "Input data was truncated"
