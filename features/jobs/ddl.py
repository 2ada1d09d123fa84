"""Arrow's columns as Spark's schema text: what the jobs tell Spark, so that it need not open every file to find out."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

_SPARK = {
    pa.string(): "string",
    pa.int32(): "int",
    pa.int64(): "long",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.list_(pa.float32()): "array<float>",
    pa.list_(pa.int64()): "array<long>",
}


def ddl_of(schema: pa.Schema, columns: Iterable[str]) -> str:
    """Return the named columns of ``schema``: ``a string, b long``.

    Raises KeyError for a column that is none, or a type without a name.
    """
    return ", ".join(f"{name} {_SPARK[schema.field(name).type]}" for name in columns)
