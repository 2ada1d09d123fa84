"""Which schema a record says that it is of."""

from __future__ import annotations

from uuid import UUID

import pytest

from streams.kafka.records import Record
from streams.wire.errors import UndecodableValue
from streams.wire.framing import SCHEMA_HEADER, Framed, encoded_indexes, framed, message_indexes, prefix

GUID = UUID("3f2504e0-4f89-11d3-9a0c-0305e82c3301")


def record(value: bytes | None, *headers: tuple[str, bytes | None]) -> Record:
    return Record("transactions", 0, 0, None, value, list(headers))


def test_the_id_stands_before_the_payload_or_in_the_header() -> None:
    assert framed(record(b"\0\0\0\1\2abc")) == Framed(258, b"abc")
    assert framed(record(b"abc", (SCHEMA_HEADER, b"\0\0\0\1\2"))) == Framed(258, b"abc", b"")
    assert framed(record(b"abc", (SCHEMA_HEADER, b"\1" + GUID.bytes + b"\0"))) == Framed(GUID, b"abc", b"\0")


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\0", b"\0\0\0\1", b"\1\0\0\0\1x", b" {}"])
def test_what_names_no_schema_is_none(value: bytes | None) -> None:
    assert framed(record(value)) is None
    assert (
        framed(record(value, (SCHEMA_HEADER, None), (SCHEMA_HEADER, b""), (SCHEMA_HEADER, b"\2xxxx"), ("other", b"\0\0\0\0\1")))
        is None
    )


@pytest.mark.parametrize("indexes", [(0,), (1,), (0, 3), (2, 0, 64), (5000,)])
def test_message_indexes_are_read_as_they_are_written(indexes: tuple[int, ...]) -> None:
    head = encoded_indexes(indexes)
    assert message_indexes(Framed(1, head + b"payload")) == (indexes, b"payload")
    assert message_indexes(Framed(1, b"payload", head)) == (indexes, b"payload")
    assert framed(record(prefix(7) + head + b"x")) == Framed(7, head + b"x")


@pytest.mark.parametrize("data", [b"", b"\x02", b"\x80", b"\xff" * 9, b"\x01", b"\xfe\x01"])
def test_cut_message_indexes_are_said(data: bytes) -> None:
    with pytest.raises(UndecodableValue, match="message indexes"):
        message_indexes(Framed(1, data))
