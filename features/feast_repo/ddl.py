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


def _struct(found: types.Type) -> types.StructType:
    if not isinstance(found, types.StructType):
        raise TypeError(f"{found} is no struct")
    return found


def _spark(found: types.Type) -> str:
    if isinstance(found, types.Metadata):
        return _spark(found.type)
    if isinstance(found, types.UnionType):
        (some,) = (kind for kind in found.types if not isinstance(kind, types.NoneType))
        return _spark(some)
    if isinstance(found, types.StructType):
        return f"struct<{', '.join(f'{field.encode_name}: {_spark(field.type)}' for field in found.fields)}>"
    if isinstance(found, types.ListType):
        return f"array<{_spark(found.item_type)}>"
    if type(found) not in _SCALARS:
        raise TypeError(f"{found} has no name in Spark's schema text")
    return _SCALARS[type(found)]
