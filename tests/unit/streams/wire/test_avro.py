"""Schemas of other people's producers, in Avro: what fits the event is read, what does not is named."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import fastavro
import msgspec
import pytest

from features.base.events import Event, Label
from features.domains.card_fraud.event import Payment
from streams.wire import avro
from streams.wire.errors import UndecodableValue, UnmappableSchema
from streams.wire.parts import Reader, parts_of
from tests.unit.streams.wire.source import T0

NEEDED: dict[str, Any] = {
    "transaction_id": "string",
    "event_time_ms": "long",
    "card_id": "string",
    "terminal_id": "string",
    "amount_minor": "long",
}
ROW: dict[str, Any] = {"transaction_id": "t", "event_time_ms": T0, "card_id": "c", "terminal_id": "m", "amount_minor": 1250}


def record_of(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "P", "fields": [{"name": name, "type": kind} for name, kind in fields.items()]}


def reader(fields: dict[str, Any], kind: type[msgspec.Struct] = Event, references: tuple[str, ...] = ()) -> Reader:
    return avro.avro_reader(json.dumps(record_of(fields)), references, parts_of(kind))


def read(fields: dict[str, Any], row: dict[str, Any]) -> Payment:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(avro.bare(record_of(fields))), row)
    return msgspec.convert(reader(fields)(out.getvalue()), Payment)


def test_fields_go_by_name_and_others_are_passed_over() -> None:
    nested = {"type": "record", "name": "Q", "fields": [{"name": "card_id", "type": "string"}]}
    fields = {"before": nested, **dict(reversed(NEEDED.items())), "tags": {"type": "array", "items": "string"}}
    assert read(fields, {"before": {"card_id": "no"}, "tags": ["a"], **ROW}) == Payment("t", T0, "c", "m", 1250)


def test_null_is_a_field_left_out() -> None:
    optional = {"currency": ["null", "string"], "latitude": ["double", "null"], "pin_used": ["null", "boolean"]}
    nothing = dict.fromkeys(optional)
    assert read({**NEEDED, **optional}, {**ROW, **nothing}).currency == "EUR"
    event = read({**NEEDED, **optional}, {**ROW, "currency": "USD", "latitude": 0.0, "pin_used": False})
    assert (event.currency, event.latitude, event.flag) == ("USD", 0.0, False)


def test_null_where_a_field_is_needed_names_it() -> None:
    with pytest.raises(msgspec.ValidationError, match="required field `card_id`"):
        read({**NEEDED, "card_id": ["null", "string"]}, {**ROW, "card_id": None})


@pytest.mark.parametrize(
    ("kind", "units"),
    [("timestamp-millis", 1), ("timestamp-micros", 1000), ("timestamp-nanos", 1_000_000)],
)
def test_timestamps_become_milliseconds(kind: str, units: int) -> None:
    fields = {**NEEDED, "event_time_ms": {"type": "long", "logicalType": kind}}
    assert read(fields, {**ROW, "event_time_ms": T0 * units + units - 1}).event_time_ms == T0


def test_a_decimal_of_scale_0_is_a_whole_number() -> None:
    fields = {**NEEDED, "amount_minor": {"type": "bytes", "logicalType": "decimal", "precision": 12}}
    assert read(fields, {**ROW, "amount_minor": (1250).to_bytes(2, "big")}).measure == 1250


def test_enums_are_their_names_in_lower_case_and_a_text_stays_as_it_is() -> None:
    mode = {"type": "enum", "name": "Mode", "symbols": ["CHIP", "online"]}
    currency = {"type": "enum", "name": "Currency", "symbols": ["EUR", "USD"]}
    event = read({**NEEDED, "entry_mode": ["null", mode], "currency": currency}, {**ROW, "entry_mode": "CHIP", "currency": "USD"})
    assert (event.mode, event.currency) == ("chip", "USD")


def test_named_types_of_other_schemas_are_known() -> None:
    mode = json.dumps({"type": "enum", "name": "org.Mode", "symbols": ["CHIP"]})
    row_of = reader({**NEEDED, "entry_mode": "org.Mode"}, references=(mode,))
    assert row_of(b"\x02t" + b"\x80\xd0\xd9\xf5\xf1\x66" + b"\x02c\x02m\x02\x00")["entry_mode"] == "chip"


@pytest.mark.parametrize(
    ("field", "kind", "names"),
    [
        ("card_id", "long", "card_id is long"),
        ("card_id", "bytes", "card_id is bytes"),
        ("card_id", ["null", "long"], "card_id is long"),
        ("card_id", "null", "card_id is null"),
        ("amount_minor", "double", "amount_minor is double"),
        ("amount_minor", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, "of scale 2.*smallest unit"),
        ("amount_minor", "bytes", "amount_minor is bytes"),
        ("amount_minor", {"type": "long", "logicalType": "timestamp-millis"}, r"amount_minor is long \(timestamp-millis\)"),
        ("event_time_ms", {"type": "long", "logicalType": "local-timestamp-millis"}, "without its zone"),
        ("event_time_ms", {"type": "int", "logicalType": "date"}, r"event_time_ms is int \(date\)"),
        ("event_time_ms", ["long", {"type": "long", "logicalType": "timestamp-micros"}], "union"),
        ("event_time_ms", "string", "event_time_ms is string"),
        ("latitude", "string", "latitude is string.*double"),
        ("pin_used", "int", "pin_used is int.*boolean"),
        ("entry_mode", {"type": "array", "items": "string"}, "entry_mode is array"),
    ],
)
def test_a_type_that_does_not_fit_is_named(field: str, kind: Any, names: str) -> None:
    with pytest.raises(UnmappableSchema, match=names):
        reader({**NEEDED, field: kind})


def test_a_field_that_is_not_there_is_named() -> None:
    with pytest.raises(UnmappableSchema, match="no field is_fraud, which every event needs"):
        reader({**NEEDED, "label_time_ms": "long"}, Label)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '"string"', '{"type": "record"}', '{"type": "nothing"}', '{"type": "enum", "name": "E", "symbols": ["A"]}'],
)
def test_what_is_no_record_is_said(text: str) -> None:
    with pytest.raises(UnmappableSchema):
        avro.avro_reader(text, (), parts_of(Event))


def test_a_value_of_another_schema_is_said_and_nothing_of_it() -> None:
    row_of = reader(NEEDED)
    for payload in (b"", b"\x02t", b"\xff" * 40, b"\x02t" + b"\x80\xd0\xd9\xf5\xf1\x66" + b"\x02c\x02m\x02\x00" + b"left"):
        with pytest.raises(UndecodableValue) as raised:
            row_of(payload)
        assert "Avro schema" in str(raised.value)


EMPTY = {"type": "record", "name": "Empty", "fields": [{"name": "a", "type": "null"}]}


@pytest.mark.parametrize("items", ["null", EMPTY, {"type": "fixed", "name": "F", "size": 0}, {"type": "null"}])
def test_an_array_of_nothing_cannot_fill_the_memory(items: Any) -> None:
    for kind in ({"type": "array", "items": items}, ["null", {"type": "map", "values": {"type": "array", "items": items}}]):
        with pytest.raises(UnmappableSchema, match="takes no bytes"):
            reader({**NEEDED, "extra": kind})
    reader({**NEEDED, "extra": {"type": "array", "items": ["null", "string"]}, "one": items})
