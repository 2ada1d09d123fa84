"""Which schema a record says that its value is of, in Confluent's wire format.

::

    value:   0 | id, 4 bytes, big-endian | of Protobuf: message indexes | payload
    header:  __value_schema_id = 0 | id, or 1 | GUID, 16 bytes; of Protobuf, message indexes after it; the value is the payload

JSON never begins with a byte 0, so each record says itself what it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from streams.kafka.records import Record
from streams.wire.errors import UndecodableValue

SCHEMA_HEADER = "__value_schema_id"
_ID_END, _GUID_END = 5, 17
#: Messages within messages; protoc itself stops at fewer.
_MOST_INDEXES = 32
_INDEXES_CUT = "the message indexes before its value are cut off or no numbers"


@dataclass(frozen=True, slots=True)
class Framed:
    """A payload with its schema's id (a number) or GUID. ``indexes``: bytes that begin with message indexes, of a header; None:
    the payload does, where the schema is Protobuf."""

    schema: int | UUID
    payload: bytes
    indexes: bytes | None = None

    def __str__(self) -> str:
        """Name the schema, for messages."""
        return f"schema {self.schema}"


def framed(record: Record) -> Framed | None:
    """Split the record; None where it does not name a schema."""
    value = record.value
    if not value:
        return None
    for name, head in record.headers:
        if name == SCHEMA_HEADER and head:
            if head[0] == 0 and len(head) >= _ID_END:
                return Framed(int.from_bytes(head[1:_ID_END], "big"), value, head[_ID_END:])
            if head[0] == 1 and len(head) >= _GUID_END:
                return Framed(UUID(bytes=head[1:_GUID_END]), value, head[_GUID_END:])
    if value[0] == 0 and len(value) >= _ID_END:
        return Framed(int.from_bytes(value[1:_ID_END], "big"), value[_ID_END:])
    return None


def prefix(schema: int) -> bytes:
    """Return what stands before a payload of this schema; before a Protobuf one, ``message_indexes`` follows."""
    return b"\0" + schema.to_bytes(4, "big")


def message_indexes(framed_value: Framed) -> tuple[tuple[int, ...], bytes]:
    """Return which message of a Protobuf file it is, from the outermost inwards, and the payload. Raises UndecodableValue."""
    if framed_value.indexes is not None:
        return _indexes(framed_value.indexes)[0], framed_value.payload
    indexes, end = _indexes(framed_value.payload)
    return indexes, framed_value.payload[end:]


def encoded_indexes(indexes: Iterable[int]) -> bytes:
    """Return message indexes as they stand before a payload; the first message alone is one byte 0."""
    numbers = tuple(indexes)
    return b"\0" if numbers == (0,) else b"".join(map(_zigzag, (len(numbers), *numbers)))


def _indexes(data: bytes) -> tuple[tuple[int, ...], int]:
    count, at = _number(data, 0)
    if count == 0:
        return (0,), at
    if not 0 < count <= _MOST_INDEXES:
        raise UndecodableValue(_INDEXES_CUT)
    numbers = []
    for _ in range(count):
        number, at = _number(data, at)
        numbers.append(number)
    return tuple(numbers), at


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a zigzag varint; return it and where the next begins."""
    value = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            raise UndecodableValue(_INDEXES_CUT)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
    raise UndecodableValue(_INDEXES_CUT)


def _zigzag(number: int) -> bytes:
    value, out = number << 1, bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
