"""Protobuf: a message of a .proto file as a reader of event fields, by their names. Unknown fields are passed over.

A field without presence (proto3 without ``optional``) reads the same when it was left out as when it holds 0 or false. Where the
event needs the field, that is its value. Where it may be left out, only text and enums with an UNSPECIFIED value are taken so: a
place at 0° or "no" that nobody sent would be silently wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import DecodeError

from streams.wire.errors import UndecodableValue, UnmappableSchema
from streams.wire.parts import Fix, Kind, Part, Reader, choice_of, missing, unfit

_WHOLE = frozenset({"int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64"})
_REAL = frozenset({"float", "double"})
_FITS: dict[Kind, frozenset[str]] = {
    "text": frozenset({"string", "enum"}),
    "choice": frozenset({"string", "enum"}),
    "whole": _WHOLE,
    "time": _WHOLE,
    "real": _REAL | _WHOLE,
    "yes_no": frozenset({"bool"}),
}
_TYPES = {number: label.removeprefix("TYPE_").lower() for label, number in descriptor_pb2.FieldDescriptorProto.Type.items()}
_TIMESTAMP = "google.protobuf.Timestamp"
_WRAPPERS = frozenset(
    f"google.protobuf.{wrapped}Value" for wrapped in ("String", "Int32", "Int64", "UInt32", "UInt64", "Float", "Double", "Bool")
)
_WITHOUT_PRESENCE = "write optional before it, for 0 or false would also stand for a field left out"
_UNSET = ("UNSPECIFIED", "UNKNOWN", "UNSET")


def message_reader(files: descriptor_pb2.FileDescriptorSet, indexes: Sequence[int], parts: Sequence[Part]) -> Reader:
    """Return a reader of payloads of the message that ``indexes`` choose in the last of ``files`` (``streams.wire.framing``).

    Raises UnmappableSchema.
    """
    pool = descriptor_pool.DescriptorPool()
    try:
        for file in files.file:
            pool.Add(file)
        descriptor = pool.FindMessageTypeByName(_message_name(files.file[-1], indexes))
        message = message_factory.GetMessageClass(descriptor)
    except (TypeError, KeyError) as error:
        raise UnmappableSchema(f"the schema is not valid Protobuf: {str(error)[:300]}") from error
    if absent := [part for part in parts if part.required and part.name not in descriptor.fields_by_name]:
        raise missing(absent[0], list(descriptor.fields_by_name.keys()))
    plan = [_step(part, descriptor) for part in parts if part.name in descriptor.fields_by_name]
    parse = message.FromString

    def row_of(payload: bytes) -> dict[str, Any]:
        try:
            event = parse(payload)
            row: dict[str, Any] = {}
            for name, presence, fix in plan:
                if presence and not event.HasField(name):
                    continue
                value = getattr(event, name)
                if fix is not None:
                    value = fix(value)
                    if value is None:
                        continue
                row[name] = value
        except (DecodeError, UnicodeDecodeError) as error:
            raise UndecodableValue("the value is not what its Protobuf schema says; is it the right one?") from error
        return row

    return row_of


def _message_name(file: descriptor_pb2.FileDescriptorProto, indexes: Sequence[int]) -> str:
    """Return the full name of the message that the indexes choose. Raises UnmappableSchema."""
    names, level = [file.package] if file.package else [], file.message_type
    for index in indexes:
        if not 0 <= index < len(level):
            raise UnmappableSchema(f"the schema has no message {list(indexes)}, which the record's message indexes name")
        names.append(level[index].name)
        level = level[index].nested_type
    return ".".join(names)


def _step(part: Part, message: Descriptor) -> tuple[str, bool, Fix | None]:
    """Return a field's name, whether it can be told to be absent, and what is done with its values. Raises UnmappableSchema."""
    field: FieldDescriptor = message.fields_by_name[part.name]
    kind = _TYPES[field.type]
    if field.is_repeated:
        raise unfit(part, f"repeated {kind}")
    if part.kind == "other":
        return part.name, field.has_presence, None
    if kind == "message":
        return part.name, True, _of_message(part, field)
    if kind not in _FITS[part.kind]:
        raise unfit(part, kind, "send whole numbers of the smallest unit" if part.kind == "whole" else "")
    if kind == "enum":
        return part.name, field.has_presence, _of_enum(part, field)
    if field.has_presence or part.required:
        return part.name, field.has_presence, None
    if kind == "string":
        return part.name, False, lambda text: text or None
    raise unfit(
        part, f"{kind} without presence", "write optional before it, for 0 or false would also stand for a field left out"
    )


def _of_message(part: Part, field: FieldDescriptor) -> Fix:
    name = field.message_type.full_name
    if part.kind == "time" and name == _TIMESTAMP:
        return lambda stamp: stamp.seconds * 1000 + stamp.nanos // 1_000_000
    if name in _WRAPPERS and _TYPES[field.message_type.fields_by_name["value"].type] in _FITS[part.kind]:
        return lambda wrapper: wrapper.value
    raise unfit(part, f"the message {name}")


def _of_enum(part: Part, field: FieldDescriptor) -> Fix:
    """Return how an enum's numbers become texts. The value 0 that says that nothing was said becomes None."""
    enum: EnumDescriptor = field.enum_type
    begin = _upper(enum.name) + "_"
    values: dict[int, str | None] = {value.number: choice_of(part, value.name.removeprefix(begin)) for value in enum.values}
    zero = enum.values_by_number.get(0)
    if zero is not None and zero.name.endswith(_UNSET):
        values[0] = None
    elif not field.has_presence and not part.required:
        hint = f"let its value 0 be {begin}UNSPECIFIED, or write optional before it"
        raise unfit(part, "an enum whose first value would also stand for a field left out", hint)
    return _Numbers(part.name, values)


class _Numbers:
    """Looks an enum's number up."""

    def __init__(self, name: str, values: Mapping[int, str | None]) -> None:
        self._name, self._values = name, values

    def __call__(self, number: int) -> str | None:
        try:
            return self._values[number]
        except KeyError:
            raise UndecodableValue(f"{self._name} holds a number that its enum does not have in this schema") from None


def _upper(name: str) -> str:
    """Return ``EntryMode`` as ``ENTRY_MODE``."""
    return "".join(f"_{c}" if i and c.isupper() and not name[i - 1].isupper() else c for i, c in enumerate(name)).upper()
