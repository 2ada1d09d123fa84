"""Ids and other texts of a file: the text that its producer meant, whatever type the column has."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.replay.cells import Column, trues

#: Whole numbers below it are exact in a float of so many bits.
_EXACT_BELOW = {16: 2.0**11, 32: 2.0**24, 64: 2.0**53}
#: How programs write a missing value as text, which many rows would then share as if it were an id.
_MISSING_WORDS = frozenset({"nan", "NaN", "None", "<NA>", "NaT", "null", "NULL"})
#: A whole number that was a float when it was written as text, and one that lost digits on the way.
_FLOAT_TEXT, _LOSSY_TEXT = r"^-?(0|[1-9]\d*)\.0+$", r"^-?\d(\.\d+)?[eE]\+\d+$"
_NO_ID = "an id is text or a whole number"


def ids(column: Column) -> NDArray[np.object_]:
    """Return text [n] of an id column.

    Text stays as it is, leading zeros too; whole numbers are written in digits. Raises ReplayError where a value is missing, and
    where the id that was meant can no longer be told.
    """
    column.no_missing()
    texts = _written(column)
    words = _MISSING_WORDS.intersection(texts.tolist())
    if words:
        wrong = np.isin(texts, list(words))
        column.refuse(wrong, lambda value: f"{value} is how a missing value is written; fill it, or leave such rows out")
    return texts


def text(column: Column) -> NDArray[np.object_]:
    """Return text [n], None where missing; numbers as ``ids`` writes them."""
    return _written(column)


def _written(column: Column) -> NDArray[np.object_]:
    kind = column.array.type
    if pa.types.is_null(kind):
        return np.full(len(column), None, dtype=object)
    if pa.types.is_string(kind):
        return _objects(_repaired(column))
    if pa.types.is_integer(kind):
        return _objects(column.array.cast(pa.string()))
    if pa.types.is_floating(kind):
        return _objects(_digits_of_floats(column))
    if pa.types.is_decimal(kind):
        return _of_decimals(column)
    raise column.wrong_type(f"{_NO_ID}, so write it as one")


def _repaired(column: Column) -> pa.Array:
    """Take the ``.0`` off whole numbers; refuse numbers in scientific notation."""
    array = column.array
    lossy = pc.match_substring_regex(array, _LOSSY_TEXT)
    column.refuse(lossy, lambda value: f"{value} is a number whose digits are lost; write the ids as text or whole numbers")
    floats = trues(pc.match_substring_regex(array, _FLOAT_TEXT))
    if not floats.any():
        return array
    whole = pc.replace_substring_regex(array, r"\.0+$", "")
    mask = pa.array(floats)
    digits = pc.utf8_length(pc.replace_substring(whole, "-", ""))
    column.refuse(
        pc.and_(mask, pc.greater(digits, 15)),
        lambda value: f"{value} was a floating point number, which is not exact beyond 2^53; write the ids as text or integers",
    )
    return pc.if_else(mask, whole, array)


def _digits_of_floats(column: Column) -> pa.Array:
    bits = column.array.type.bit_width
    values = np.asarray(column.array.to_numpy(zero_copy_only=False), dtype=np.float64)
    known = ~column.missing()
    inexact = known & ~(np.abs(values) < _EXACT_BELOW[bits])
    power = {16: 11, 32: 24, 64: 53}[bits]
    column.refuse(
        inexact,
        lambda value: (
            f"{value} is a floating point number, and ids are not exact in one of {bits} bits beyond 2^{power}: two of them "
            "can have become one; write the column as text or integers"
        ),
    )
    broken = known & (values != np.floor(values))
    column.refuse(broken, lambda value: f"{value} is no whole number; {_NO_ID}")
    return pa.array(np.where(known, values, 0.0).astype(np.int64), mask=~known).cast(pa.string())


def _of_decimals(column: Column) -> NDArray[np.object_]:
    values = column.array.to_pylist()
    broken = np.array([value is not None and value != value.to_integral_value() for value in values], dtype=np.bool_)
    column.refuse(broken, lambda value: f"{value} is no whole number; {_NO_ID}")
    return np.array([None if value is None else format(value.to_integral_value(), "f") for value in values], dtype=object)


def _objects(array: pa.Array) -> NDArray[np.object_]:
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=object)
