"""What an event needs of a schema: its fields by their names on the wire, each with the kind of value that it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias, get_args, get_origin

import msgspec
from msgspec import inspect

from features.base.types import EventTime
from streams.wire.errors import UnmappableSchema

#: ``time``: epoch ms; ``choice``: one of some texts; ``other``: what only the event itself can check.
Kind = Literal["text", "choice", "whole", "time", "real", "yes_no", "other"]
#: Gives the fields of a payload by their names on the wire, None or absent where the producer left one out.
Reader: TypeAlias = Callable[[bytes], dict[str, Any]]
#: Changes a value that a format has otherwise.
Fix: TypeAlias = Callable[[Any], Any]

_EARLIEST = get_args(EventTime)[1].ge
_IN_WORDS: dict[Kind, str] = {
    "text": "a string",
    "choice": "a string or an enum",
    "whole": "an int or a long",
    "time": "a long of epoch milliseconds, or a timestamp",
    "real": "a double",
    "yes_no": "a boolean",
    "other": "a value of its own kind",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One field. ``choices``: of a choice."""

    name: str
    kind: Kind
    required: bool
    choices: tuple[str, ...] = ()
    default: Any = None


@cache
def parts_of(event: type[msgspec.Struct]) -> tuple[Part, ...]:
    """Return the fields of a struct, in their order."""
    info = inspect.type_info(event)
    assert isinstance(info, inspect.StructType)
    # The annotation has a choice's values in the order in which they are written; numbers in Protobuf go by it.
    written = {field.encode_name: field.type for field in msgspec.structs.fields(event)}
    return tuple(
        Part(
            field.encode_name,
            kind := _kind(field.type),
            field.required,
            _choices(written[field.encode_name]) if kind == "choice" else (),
            None if field.default is msgspec.NODEFAULT else field.default,
        )
        for field in info.fields
    )


def choice_of(part: Part, symbol: str) -> str:
    """Return the value that an enum's symbol stands for: of a choice itself or in lower case; a text as it is written."""
    return symbol if part.kind != "choice" or symbol in part.choices else symbol.lower()


def missing(part: Part, fields: list[str]) -> UnmappableSchema:
    """Say that a field is not there."""
    return UnmappableSchema(
        f"the schema has no field {part.name}, which every event needs (it has {', '.join(fields[:30])}); add it, or rename one"
    )


def unfit(part: Part, given: str, hint: str = "") -> UnmappableSchema:
    """Say that a field's type does not fit."""
    return UnmappableSchema(f"the schema's field {part.name} is {given}; it must be {_IN_WORDS[part.kind]}{hint and '; ' + hint}")


def _kind(type_: inspect.Type) -> Kind:
    if isinstance(type_, inspect.UnionType):
        kinds = [_kind(option) for option in type_.types if not isinstance(option, inspect.NoneType)]
        return kinds[0] if len(kinds) == 1 else "other"
    if isinstance(type_, inspect.IntType):
        return "time" if type_.ge == _EARLIEST else "whole"
    by_type: dict[type, Kind] = {
        inspect.StrType: "text",
        inspect.LiteralType: "choice",
        inspect.FloatType: "real",
        inspect.BoolType: "yes_no",
    }
    return by_type.get(type(type_), "other")


def _choices(annotation: object) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    return next(filter(None, map(_choices, get_args(annotation))), ())
