"""Numbers, choices and yes or no of a file, whatever type the column has."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.replay.cells import Column, trues

#: A number as text: a point for decimals, no separators of thousands.
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_YES, _NO = ("1", "1.0", "true", "t", "yes", "y"), ("0", "0.0", "false", "f", "no", "n")


def trimmed(column: Column) -> Column:
    """Return a text column without the blanks around its values; one that is empty then is missing."""
    array = pc.utf8_trim_whitespace(column.array)
    return column.with_array(pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array))


def floats(column: Column) -> NDArray[np.float64]:
    """Return numbers [n], NaN where missing. Raises ReplayError for what is none, and for an infinite one."""
    kind = column.array.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_string(kind):
        column = numerals(column)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise column.wrong_type("this field is a number")
    array = column.array if pa.types.is_float64(column.array.type) else column.array.cast(pa.float64(), safe=False)
    values = np.asarray(pc.fill_null(array, np.nan).to_numpy(zero_copy_only=False), dtype=np.float64)
    column.refuse(np.isinf(values), lambda value: f"{value} is not finite; leave such rows out")
    return values


def numerals(column: Column) -> Column:
    """Return a text column whose values are numbers, as Arrow reads them. Raises ReplayError for one that is none."""
    column = trimmed(column)
    good = pc.match_substring_regex(column.array, _NUMBER)
    comma = trues(pc.match_substring_regex(column.array, r"^[+-]?[\d.]*\d,\d+$"))
    column.refuse(
        ~trues(pc.fill_null(good, True)),
        lambda value: (
            f"{value} is no number; "
            + ("say what the comma is with --decimal ," if comma.any() else "write digits, with a point for decimals")
        ),
    )
    return column.with_array(pc.replace_substring_regex(column.array, r"^\+", ""))


def wholes(column: Column, what: str) -> NDArray[np.int64]:
    """Return whole numbers [n] of a column without missing values. Raises ReplayError; ``what`` says what is wanted."""
    column.no_missing()
    kind = column.array.type
    if pa.types.is_integer(kind):
        if pa.types.is_uint64(kind):
            column.refuse(pc.greater(column.array, 2**63 - 1), lambda value: f"{value} is too large; {what}")
        return np.asarray(column.array.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)
    if pa.types.is_string(kind):
        column = trimmed(column)
        column.no_missing()
        digits = trues(pc.match_substring_regex(column.array, r"^[+-]?\d{1,18}$"))
        if digits.all():
            plain = pc.replace_substring_regex(column.array, r"^\+", "")
            return np.asarray(plain.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)
    values = floats(column)
    column.refuse(
        ~((np.abs(values) < 2.0**53) & (values == np.floor(values))), lambda value: f"{value} is no whole number; {what}"
    )
    return values.astype(np.int64)


def answers(column: Column) -> NDArray[np.int8]:
    """Return 1, 0 or -1 (missing) [n] of yes and no: booleans, 0 and 1, and as text true, false, yes, no, Y, N, T, F."""
    kind = column.array.type
    known = np.full(len(column), -1, dtype=np.int8)
    if pa.types.is_null(kind):
        return known
    wanted = "this field is yes or no: booleans, 0 and 1, or true and false, yes and no, Y and N as text"
    if pa.types.is_string(kind):
        column = trimmed(column)
        lower = pc.utf8_lower(column.array)
        yes, no = (trues(pc.is_in(lower, pa.array(words))) for words in (_YES, _NO))
    elif pa.types.is_boolean(kind):
        yes = trues(column.array)
        no = trues(pc.invert(column.array))
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = floats(column)
        yes, no = numbers == 1.0, numbers == 0.0
    else:
        raise column.wrong_type(wanted)
    column.refuse(~(yes | no | column.missing()), lambda value: f"{value}; {wanted}")
    known[yes], known[no] = 1, 0
    return known


def flags(column: Column) -> NDArray[np.bool_]:
    """Return booleans [n], as ``answers``. Raises ReplayError where one is missing, too."""
    known = answers(column)
    if (known < 0).any():
        raise column.refusal(int(np.flatnonzero(known < 0)[0]), "the value is missing; fill it, or leave such rows out")
    return known > 0


def degrees(column: Column, limit: float) -> NDArray[np.float64]:
    """Return degrees [n], NaN where missing. Raises ReplayError beyond ±``limit``."""
    values = floats(column)
    column.refuse(np.abs(values) > limit, lambda value: f"{value} is beyond {limit:.0f} degrees; leave such rows out")
    return values


def choices(column: Column, field: str, among: tuple[str, ...]) -> NDArray[np.int8]:
    """Return positions in ``among`` [n], -1 where missing."""
    kind = column.array.type
    if pa.types.is_null(kind):
        return np.full(len(column), -1, dtype=np.int8)
    wanted = f"{field} is one of {', '.join(among)}"
    if not pa.types.is_string(kind):
        raise column.wrong_type(wanted)
    positions = pc.fill_null(pc.index_in(column.array, pa.array(among)), -1)
    codes = np.asarray(positions.to_numpy(zero_copy_only=False), dtype=np.int8)
    column.refuse((codes < 0) & ~column.missing(), lambda value: f"{value}; {wanted}")
    return codes
