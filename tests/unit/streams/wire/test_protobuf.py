"""Schemas of other people's producers, in Protobuf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from google.protobuf import descriptor_pool, message_factory

from features.base.events import Event, Label
from features.domains.card_fraud.event import Payment
from streams.wire import protobuf, protoc
from streams.wire.errors import UndecodableValue, UnmappableSchema
from streams.wire.parts import parts_of
from tests.unit.streams.wire.source import T0

HEAD = 'syntax = "proto3"; package p; import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";'
NEEDED = "string transaction_id = 1; int64 event_time_ms = 2; string card_id = 3; string terminal_id = 4;"
AMOUNT = "uint32 amount_minor = 5;"
ROW: dict[str, Any] = {"transaction_id": "t", "event_time_ms": T0, "card_id": "c", "terminal_id": "m", "amount_minor": 1250}


class Proto:
    """A .proto file whose message ``M`` can be written and read."""

    def __init__(self, text: str, indexes: tuple[int, ...] = (0,), name: str = "p.M", imports: Mapping[str, str] = {}) -> None:
        files = protoc.compiled(text, imports)
        self.read: Callable[[bytes], dict[str, Any]] = protobuf.message_reader(files, indexes, parts_of(Event))
        pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            pool.Add(file)
        self.message = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))

    def event(self, **fields: Any) -> Payment:
        return msgspec.convert(self.read(self.message(**{**ROW, **fields}).SerializeToString()), Payment)


def test_every_way_to_write_a_field_is_read() -> None:
    text = f"""{HEAD} message M {{ {AMOUNT} string transaction_id = 1; google.protobuf.Timestamp event_time_ms = 2; bytes x = 30;
        string card_id = 3; string terminal_id = 4; google.protobuf.StringValue country = 6; optional float latitude = 7;
        oneof where {{ double longitude = 8; }} string merchant_category = 9; optional bool pin_used = 10; Mode entry_mode = 11;
        repeated string tags = 12; Currency currency = 13; }}
        enum Mode {{ MODE_UNSPECIFIED = 0; MODE_CHIP = 1; Online = 2; }}
        enum Currency {{ CURRENCY_UNKNOWN = 0; USD = 1; }}"""
    proto = Proto(text)
    time = {"seconds": T0 // 1000, "nanos": 7_999_999}
    bare = proto.event(event_time_ms=time)
    assert bare == Payment("t", T0 + 7, "c", "m", 1250)
    full = proto.event(
        event_time_ms=time,
        country={"value": "DE"},
        latitude=0.0,
        longitude=0.0,
        merchant_category="food",
        pin_used=False,
        entry_mode="Online",
        currency="USD",
        tags=["a"],
        x=b"b",
    )
    assert full == Payment("t", T0 + 7, "c", "m", 1250, "USD", 0.0, 0.0, "DE", "food", "online", False)


def test_zero_is_a_value_where_the_field_is_needed() -> None:
    assert Proto(f"{HEAD} message M {{ {NEEDED} {AMOUNT} }}").event(amount_minor=0).measure == 0


def test_an_empty_id_and_a_time_that_was_left_out_are_named() -> None:
    proto = Proto(f"{HEAD} message M {{ {NEEDED} {AMOUNT} }}")
    with pytest.raises(msgspec.ValidationError, match=r"\$.card_id"):
        proto.event(card_id="")
    with pytest.raises(msgspec.ValidationError, match=r"\$.event_time_ms"):
        proto.event(event_time_ms=0)


def test_unknown_fields_are_passed_over_and_unknown_numbers_of_an_enum_are_not() -> None:
    mode = "enum Mode { MODE_UNSPECIFIED = 0; MODE_CHIP = 1;"
    ours = Proto(f"{HEAD} message M {{ {NEEDED} {AMOUNT} Mode entry_mode = 6; }} {mode} }}")
    theirs = Proto(f"{HEAD} message M {{ {NEEDED} {AMOUNT} Mode entry_mode = 6; string more = 7; }} {mode} MODE_ONLINE = 2; }}")
    value = theirs.message(**ROW, entry_mode=1, more="x").SerializeToString()
    assert ours.read(value)["entry_mode"] == "chip"
    with pytest.raises(UndecodableValue, match="entry_mode holds a number"):
        ours.read(theirs.message(**ROW, entry_mode=2).SerializeToString())


def test_the_message_indexes_choose_the_message() -> None:
    text = f"{HEAD} message Other {{ int32 a = 1; }} message Outer {{ message M {{ {NEEDED} {AMOUNT} }} }}"
    assert Proto(text, (1, 0), "p.Outer.M").event().subject == "c"
    for indexes in ((2,), (1, 1), (-1,), (0, 0)):
        with pytest.raises(UnmappableSchema, match="no message"):
            Proto(text, indexes)
    with pytest.raises(UnmappableSchema, match="no field transaction_id"):
        Proto(text, (0,))


def test_imports_of_the_registry_are_compiled_along() -> None:
    text = f'{HEAD} import "our/mode.proto"; message M {{ {NEEDED} {AMOUNT} optional our.Mode entry_mode = 6; }}'
    mode = 'syntax = "proto3"; package our; enum Mode { CHIP = 0; ONLINE = 1; }'
    assert Proto(text, imports={"our/mode.proto": mode}).event(entry_mode=0).mode == "chip"
    with pytest.raises(UnmappableSchema, match=r"cannot be compiled as Protobuf: .*our/mode.proto"):
        Proto(text)
    for name in ("../mode.proto", "/tmp/mode.proto", "a/../../b.proto", ""):
        with pytest.raises(UnmappableSchema, match="no relative path"):
            Proto(text, imports={name: mode})


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("double amount_minor = 5;", "amount_minor is double.*smallest unit"),
        ("string amount_minor = 5;", "amount_minor is string"),
        ("repeated int64 amount_minor = 5;", "amount_minor is repeated int64"),
        ("google.protobuf.Timestamp amount_minor = 5;", "amount_minor is the message google.protobuf.Timestamp"),
        (f"{AMOUNT} double latitude = 7;", "latitude is double without presence.*optional"),
        (f"{AMOUNT} bool pin_used = 7;", "pin_used is bool without presence.*optional"),
        (f"{AMOUNT} bytes country = 7;", "country is bytes"),
        (f"{AMOUNT} Mode entry_mode = 7;", "entry_mode is an enum whose first value.*MODE_UNSPECIFIED"),
        (f"{AMOUNT} google.protobuf.BoolValue country = 7;", "country is the message google.protobuf.BoolValue"),
        ("", "no field amount_minor"),
    ],
)
def test_a_type_that_does_not_fit_is_named(field: str, names: str) -> None:
    with pytest.raises(UnmappableSchema, match=names):
        Proto(f"{HEAD} message M {{ {NEEDED} {field} }} enum Mode {{ CHIP = 0; }}")


def test_a_value_that_is_no_message_is_said() -> None:
    proto = Proto(f"{HEAD} message M {{ {NEEDED} {AMOUNT} }}")
    for payload in (b"\x0a\xff", b"\x0a\x01\xff", b"\xff" * 30, b"{}"):
        with pytest.raises(UndecodableValue, match="Protobuf schema"):
            proto.read(payload)


def test_a_label_needs_its_fields() -> None:
    with pytest.raises(UnmappableSchema, match="no field is_fraud"):
        protobuf.message_reader(protoc.compiled(f"{HEAD} message M {{ {NEEDED} }}", {}), (0,), parts_of(Label))
