"""Avro: a writer's schema as a reader of event fields, by their names.

What Avro calls the reader's schema is the event itself: fields that it does not know are passed over, and null stands for a field
that was left out, so that the event's own default counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import fastavro

from streams.wire.errors import UndecodableValue, UnmappableSchema
from streams.wire.parts import Fix, Kind, Part, Reader, choice_of, missing, unfit

Schema = Any

_PLAIN: dict[Kind, frozenset[str]] = {
    "text": frozenset({"string", "enum"}),
    "choice": frozenset({"string", "enum"}),
    "whole": frozenset({"int", "long", "bytes", "fixed"}),
    "time": frozenset({"int", "long"}),
    "real": frozenset({"float", "double", "int", "long"}),
    "yes_no": frozenset({"boolean"}),
}
#: By logical type of a time: how many units make a millisecond.
_TIMES = {"timestamp-millis": 1, "timestamp-micros": 1000, "timestamp-nanos": 1_000_000}
_WHOLE_HINT = "send whole numbers of the smallest unit, as a long or a decimal of scale 0"


def avro_reader(text: str, references: Sequence[str], parts: Sequence[Part]) -> Reader:
    """Return a reader of payloads that were written with the schema ``text``; ``references``: schemas that it names, each after
    those that it needs itself. Raises UnmappableSchema."""
    named: dict[str, Any] = {}
    try:
        for reference in references:
            fastavro.parse_schema(json.loads(reference), named_schemas=named)
        whole = fastavro.parse_schema(json.loads(text), named_schemas=named)
        # Without logical types numbers stay numbers: a time would become a datetime, and be one again.
        plain_names: dict[str, Any] = {}
        for reference in references:
            fastavro.parse_schema(bare(json.loads(reference)), named_schemas=plain_names)
        plain = fastavro.parse_schema(bare(json.loads(text)), named_schemas=plain_names)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, fastavro.schema.SchemaParseException) as error:
        raise UnmappableSchema(f"the schema is not valid Avro: {type(error).__name__}: {str(error)[:300]}") from error
    if (name := _of_nothing(plain, plain_names)) is not None:
        raise UnmappableSchema(
            f"the schema has an array of {name}, which takes no bytes: a few of them could be any number of items"
        )
    if not isinstance(whole, dict) or whole.get("type") != "record":
        raise UnmappableSchema("the schema is no record; register the event's record itself, not a union around it")
    fields = {field["name"]: field["type"] for field in whole["fields"]}
    fixes = {part.name: _fix(part, fields[part.name], named) for part in parts if part.name in fields}
    if absent := [part for part in parts if part.required and part.name not in fields]:
        raise missing(absent[0], list(fields))
    return _row_reader(plain, tuple(fixes), [(name, fix) for name, fix in fixes.items() if fix is not None])


def _row_reader(schema: Schema, names: tuple[str, ...], fixes: list[tuple[str, Fix]]) -> Reader:
    read = fastavro.schemaless_reader

    def row_of(payload: bytes) -> dict[str, Any]:
        stream = BytesIO(payload)
        try:
            row: Any = read(stream, schema, None)
        # What bytes that were written otherwise make a parser raise, whatever it is, says one thing.
        except Exception as error:
            raise UndecodableValue(f"the value is not what its Avro schema says ({type(error).__name__})") from error
        if left := len(payload) - stream.tell():
            raise UndecodableValue(f"{left} bytes are left after the value that its Avro schema describes; is it the right one?")
        out = {name: value for name in names if (value := row[name]) is not None}
        for name, fix in fixes:
            if name in out:
                out[name] = fix(out[name])
        return out

    return row_of


def _fix(part: Part, schema: Schema, named: Mapping[str, Any]) -> Fix | None:
    """Check that a field's type fits; return what must be done with its values. Raises UnmappableSchema."""
    branches = [branch for branch in _branches(schema, named) if branch != "null"]
    if not branches:
        raise unfit(part, "null")
    if part.kind == "other":
        return None
    fixes = [_of_branch(part, branch) for branch in branches]
    if len(branches) > 1 and any(fix is not None for fix in fixes):
        raise unfit(part, "a union of several types", "keep null and one other")
    return fixes[0]


def _of_branch(part: Part, branch: Schema) -> Fix | None:
    described = branch if isinstance(branch, dict) else {"type": branch}
    name, logical, scale = described["type"], described.get("logicalType", ""), described.get("scale", 0)
    if name not in _PLAIN[part.kind]:
        raise unfit(part, _named(name, logical), _WHOLE_HINT if part.kind == "whole" else "")
    if part.kind == "time":
        return _time(part, name, logical)
    if name in ("bytes", "fixed"):
        if logical != "decimal" or scale:
            raise unfit(part, f"{_named(name, logical)} of scale {scale}", _WHOLE_HINT)
        return lambda value: int.from_bytes(value, "big", signed=True)
    if logical and name in ("int", "long"):
        raise unfit(part, _named(name, logical))
    if name == "enum":
        symbols = {symbol: choice_of(part, symbol) for symbol in described["symbols"]}
        return symbols.__getitem__ if any(symbol != value for symbol, value in symbols.items()) else None
    return None


def _time(part: Part, name: str, logical: str) -> Fix | None:
    if logical and logical not in _TIMES:
        hint = "a local time says nothing without its zone" if logical.startswith("local-") else ""
        raise unfit(part, _named(name, logical), hint)
    units = _TIMES.get(logical, 1)
    return None if units == 1 else lambda value: value // units


def _branches(schema: Schema, named: Mapping[str, Any]) -> list[Schema]:
    """Return the types of a union, else the one type; names and ``{"type": ...}`` around a type are resolved."""
    if isinstance(schema, list):
        return [branch for option in schema for branch in _branches(option, named)]
    if isinstance(schema, str):
        return [named.get(schema, schema)]
    if isinstance(schema["type"], dict | list):
        return _branches(schema["type"], named)
    return [schema | {"type": named[schema["type"]]["type"]} if schema["type"] in named else schema]


def _of_nothing(schema: Schema, named: Mapping[str, Any]) -> str | None:
    """Return the type of an array's items where they take no bytes; None where there is no such array."""
    if isinstance(schema, list):
        return next((name for branch in schema if (name := _of_nothing(branch, named))), None)
    if not isinstance(schema, dict):
        return None
    if schema["type"] == "array" and _takes_nothing(schema["items"], named, frozenset()):
        return str(schema["items"] if isinstance(schema["items"], str) else schema["items"].get("name", "empty values"))
    inner = [field["type"] for field in schema.get("fields", ())] + [schema[key] for key in ("items", "values") if key in schema]
    inner += [schema["type"]] if isinstance(schema["type"], dict | list) else []
    return next((name for part in inner if (name := _of_nothing(part, named))), None)


def _takes_nothing(schema: Schema, named: Mapping[str, Any], within: frozenset[str]) -> bool:
    if isinstance(schema, str):
        # A record within itself takes something, or could not end.
        return schema == "null" or (
            schema in named and schema not in within and _takes_nothing(named[schema], named, within | {schema})
        )
    if isinstance(schema, list):
        return False
    if schema["type"] == "record":
        inside = within | {schema["name"]}
        return all(_takes_nothing(field["type"], named, inside) for field in schema["fields"])
    if schema["type"] == "fixed":
        return bool(schema["size"] == 0)
    # ``{"type": ...}`` around a type or its name.
    return schema["type"] not in ("array", "map", "enum") and _takes_nothing(schema["type"], named, within)


def _named(name: str, logical: str) -> str:
    return f"{name} ({logical})" if logical else name


def bare(schema: Schema) -> Schema:
    """Return a schema without logical types: whole numbers stay whole numbers."""
    if isinstance(schema, list):
        return [bare(option) for option in schema]
    if not isinstance(schema, dict):
        return schema
    # A default or a doc may hold anything, a key of this name too.
    kept = {key: value for key, value in schema.items() if key not in ("logicalType", "default", "doc")}
    for key in ("type", "items", "values", "fields"):
        if key in kept:
            kept[key] = bare(kept[key])
    return kept
