"""Event types as Spark's schema text, which is what Feast means by the schema of a JSON stream."""

from __future__ import annotations

import msgspec
from msgspec import inspect as types

_SCALARS = {
    types.BoolType: "boolean",
    types.IntType: "bigint",
    types.FloatType: "double",
    types.StrType: "string",
    types.LiteralType: "string",
    types.BytesType: "string",  # base64 in JSON
}


def schema(event: type[msgspec.Struct]) -> str:
    """Return the fields of ``event`` as Spark writes them: ``a bigint, b struct<c: string>``.

    Raises TypeError for what JSON streams of ours do not carry.
    """
    return ", ".join(f"{field.encode_name} {_spark(field.type)}" for field in _struct(types.type_info(event)).fields)


def _struct(field_type: types.Type) -> types.StructType:
    if not isinstance(field_type, types.StructType):
        raise TypeError(f"{field_type} is no struct")
    return field_type


def _spark(field_type: types.Type) -> str:
    if isinstance(field_type, types.Metadata):
        return _spark(field_type.type)
    if isinstance(field_type, types.UnionType):
        (some,) = (kind for kind in field_type.types if not isinstance(kind, types.NoneType))
        return _spark(some)
    if isinstance(field_type, types.StructType):
        return f"struct<{', '.join(f'{field.encode_name}: {_spark(field.type)}' for field in field_type.fields)}>"
    if isinstance(field_type, types.ListType):
        return f"array<{_spark(field_type.item_type)}>"
    if type(field_type) not in _SCALARS:
        raise TypeError(f"{field_type} has no name in Spark's schema text")
    return _SCALARS[type(field_type)]
