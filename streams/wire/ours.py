"""Our own schemas of events and labels in Avro and Protobuf, written from the structs.

Fields, and the values of a choice, have their numbers in Protobuf by their order in the struct: new ones are added at the end.
"""

from __future__ import annotations

import re
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from features.base.active import DOMAIN
from features.base.events import EVENT_OF
from streams import topics
from streams.wire.parts import Kind, Part, parts_of

#: What records of producers may be written in; ``json`` is plain JSON, ``json-schema`` the same behind a schema's id.
Format: TypeAlias = Literal["json", "avro", "protobuf", "json-schema"]
FORMATS: tuple[Format, ...] = get_args(Format)
#: The topics whose records come from producers.
PUBLISHED = (topics.EVENTS, topics.LABELS)

_AVRO: dict[Kind, Any] = {
    "text": "string",
    "whole": "long",
    "time": {"type": "long", "logicalType": "timestamp-millis"},
    "real": "double",
    "yes_no": "boolean",
}
_PROTO: dict[Kind, str] = {"text": "string", "whole": "int64", "time": "int64", "real": "double", "yes_no": "bool"}
_SYMBOL = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def subject(topic: str) -> str:
    """Return the subject of a topic's values (TopicNameStrategy)."""
    return f"{topic}-value"


def parts(topic: str) -> tuple[Part, ...]:
    """Return the fields of a topic's records. Only JSON has those that are ``other``."""
    return tuple(part for part in parts_of(EVENT_OF[topic]) if part.kind != "other")


def avro(topic: str) -> dict[str, Any]:
    """Return the Avro schema of a topic's values: what may be left out is a union with null."""
    fields: list[dict[str, Any]] = []
    for part in parts(topic):
        kind = _enum(part) if _is_enum(part) else _AVRO.get(part.kind, "string")
        fields.append({"name": part.name, "type": kind} if part.required else _optional(part.name, kind))
    event = EVENT_OF[topic]
    return {"type": "record", "name": event.__name__, "namespace": f"driftloop.{DOMAIN.name}", "fields": fields}


def protobuf(topic: str) -> str:
    """Return the .proto file of a topic's values: one message, proto3; what may be left out is ``optional``."""
    lines = []
    for number, part in enumerate(parts(topic), 1):
        kind = _camel(part.name) if _is_enum(part) else _PROTO.get(part.kind, "string")
        lines.append(f"  {'' if part.required else 'optional '}{kind} {part.name} = {number};")
    enums = [line for part in parts(topic) if _is_enum(part) for line in _proto_enum(part)]
    head = ['syntax = "proto3";', f"package driftloop.{DOMAIN.name};", "", f"message {EVENT_OF[topic].__name__} {{"]
    return "\n".join([*head, *enums, *lines, "}"]) + "\n"


def fields_of(event: msgspec.Struct, enums: frozenset[str]) -> dict[str, Any]:
    """Return an event's fields by name, those that hold None left out; values of ``enums`` in the case of Protobuf's names."""
    row: dict[str, Any] = msgspec.to_builtins(event)
    return {name: _proto_value(name, value) if name in enums else value for name, value in row.items() if value is not None}


def proto_enums(topic: str) -> frozenset[str]:
    """Return the fields of a topic that are enums in its .proto file."""
    return frozenset(part.name for part in parts(topic) if _is_enum(part))


def _is_enum(part: Part) -> bool:
    """Tell whether a choice can be an enum: its values must be names, and differ in capital letters, too."""
    names = {choice.upper() for choice in part.choices}
    return bool(names) and len(names) == len(part.choices) and all(map(_SYMBOL.fullmatch, part.choices))


def _optional(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None}


def _enum(part: Part) -> dict[str, Any]:
    return {"type": "enum", "name": _camel(part.name), "symbols": list(part.choices)}


def _proto_enum(part: Part) -> list[str]:
    begin = part.name.upper()
    values = [f"    {_proto_value(part.name, choice)} = {number};" for number, choice in enumerate(part.choices, 1)]
    return [f"  enum {_camel(part.name)} {{", f"    {begin}_UNSPECIFIED = 0;", *values, "  }", ""]


def _proto_value(name: str, choice: str) -> str:
    return f"{name.upper()}_{choice.upper()}"


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
