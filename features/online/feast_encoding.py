"""Feast's Redis layout, written and read without importing Feast.

Importing feast costs seconds and hundreds of MB, and its generic path is slow; the scorer can afford neither. The layout is
small and versioned (``entity_key_serialization_version: 3``), and the integration tests read through Feast what is written
here, and back.

One Redis hash an entity:

- key: the entity key (number of join keys, then type, length and text of the join key, then of its value), then the project's
  name;
- field ``_ts:<view>``: a protobuf ``Timestamp``, the event time of the view's row;
- field murmur3_32(``<view>:<feature>``), 4 bytes little endian: a protobuf ``feast.types.Value``; empty bytes mean null.

Protobuf's wire format: a field is the varint ``number << 3 | type``, then a varint (type 0), four bytes (type 5) or a length
and as many bytes (type 2).
"""

from __future__ import annotations

import struct
from functools import lru_cache

import mmh3
import numpy as np
from numba import njit
from numpy.typing import NDArray

PROJECT = "driftloop"
#: feast.types.ValueType.STRING, the type of every join key here.
_STRING = struct.pack("<I", 2)
_STRING_VAL, _FLOAT_VAL, _INT64_VAL = b"\x12", b"\x35", b"\x20"  # field 2 type 2, field 6 type 5, field 4 type 0
_INT64_LIST_VAL, _FLOAT_LIST_VAL = b"\x72", b"\x82\x01"  # field 14 type 2, field 16 type 2
_LIST_ITEMS = b"\x0a"  # field 1 type 2: packed items
_float = struct.Struct("<f")


def key_prefix(join_key: str) -> bytes:
    """Return what the Redis keys of one entity type begin with."""
    name = join_key.encode()
    return struct.pack("<I", 1) + _STRING + struct.pack("<I", len(name)) + name + _STRING


def redis_key(prefix: bytes, entity_id: str, project: bytes = PROJECT.encode()) -> bytes:
    """Return the Redis key of one entity."""
    value = entity_id.encode()
    return b"%b%b%b%b" % (prefix, struct.pack("<I", len(value)), value, project)


def feature_field(view: str, feature: str) -> bytes:
    """Return the hash field of one feature."""
    return struct.pack("<I", mmh3.hash(f"{view}:{feature}", signed=False))


def timestamp_field(view: str) -> bytes:
    """Return the hash field of a view's event time."""
    return f"_ts:{view}".encode()


@lru_cache(maxsize=4096)
def varint(number: int) -> bytes:
    """Return Protobuf's base-128 varint of a number in 0 .. 2**64 - 1."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def timestamp(ms: int) -> bytes:
    """Return epoch milliseconds as a protobuf Timestamp: seconds, then nanoseconds where they are not zero."""
    seconds, rest = divmod(ms, 1000)
    nanos = b"\x10" + varint(rest * 1_000_000) if rest else b""
    return (b"\x08" + varint(seconds) if seconds else b"") + nanos


def read_timestamp(data: bytes | None) -> int:
    """Read the epoch milliseconds of a protobuf Timestamp, 0 where there is none."""
    if not data:
        return 0
    values = [0, 0]
    position = 0
    while position < len(data):
        which = 0 if data[position] == 0x08 else 1
        position += 1
        shift = value = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        values[which] = value
    return values[0] * 1000 + values[1] // 1_000_000


def text(value: str) -> bytes:
    """Return a Value that holds a string."""
    data = value.encode()
    return _STRING_VAL + varint(len(data)) + data


def number(value: float | None) -> bytes:
    """Return a Value that holds a float32; None is null."""
    return b"" if value is None else _FLOAT_VAL + _float.pack(value)


def integer(value: int) -> bytes:
    """Return a Value that holds an int64 >= 0."""
    return _INT64_VAL + varint(value)


def _list(tag: bytes, items: bytes) -> bytes:
    body = _LIST_ITEMS + varint(len(items)) + items if items else b""
    return tag + varint(len(body)) + body


def floats(values: NDArray[np.float32]) -> bytes:
    """Return a Value that holds a list of float32, from an array [k]."""
    return _list(_FLOAT_LIST_VAL, np.ascontiguousarray(values, dtype="<f4").tobytes())


def integers(values: NDArray[np.int64]) -> bytes:
    """Return a Value that holds a list of int64, from an array [k]."""
    buffer = np.empty(len(values) * 10, dtype=np.uint8)
    return _list(_INT64_LIST_VAL, buffer[: _pack_varints(values, buffer)].tobytes())


def read_text(data: bytes | None) -> str | None:
    """Read the string in a Value, None for null."""
    if not data:
        return None
    start, length = _varint_at(data, 1)
    return data[start : start + length].decode()


def read_number(data: bytes | None) -> float | None:
    """Read the float32 in a Value, None for null."""
    return float(_float.unpack(data[1:5])[0]) if data else None


def read_floats(data: bytes | None) -> NDArray[np.float32] | None:
    """Read the float32 list [k] in a Value, None for null. A view on ``data``: read-only."""
    if not data:
        return None
    start = _items_at(data, len(_FLOAT_LIST_VAL))
    return np.frombuffer(data, dtype="<f4", offset=start) if start < len(data) else np.empty(0, dtype=np.float32)


def _varint_at(data: bytes, position: int) -> tuple[int, int]:
    """Return (position after it, value) of the varint at ``position``."""
    shift = value = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return position, value


def _items_at(data: bytes, tag_length: int) -> int:
    """Find where the packed items of a list Value begin: behind its tag and length and the list's own."""
    start, _ = _varint_at(data, tag_length)
    return _varint_at(data, start + 1)[0] if start < len(data) else start


@njit(cache=True)
def _pack_varints(values: NDArray[np.int64], out: NDArray[np.uint8]) -> int:
    position = 0
    for value in values:
        rest = np.uint64(value)  # a negative number takes ten bytes, as its two's complement
        while rest > np.uint64(0x7F):
            out[position] = np.uint8(rest & np.uint64(0x7F)) | np.uint8(0x80)
            rest >>= np.uint64(7)
            position += 1
        out[position] = np.uint8(rest)
        position += 1
    return position
