"""Arrow columns of whatever type a file has, to the columns that the publisher takes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.replay.errors import ReplayError

#: Bounds of features.base.events.EventTime.
_EARLIEST, _LATEST = 946_684_800_000, 4_102_444_800_000


def no_nulls(column: pa.Array, name: str) -> None:
    """Raise ReplayError where the column has a null."""
    if column.null_count:
        raise ReplayError(f"column {name} has {column.null_count} missing values; fill them or leave these rows out")


def times(column: pa.Array, name: str) -> NDArray[np.int64]:
    """Return epoch ms [n] of a timestamp column (taken as UTC without a time zone) or of an integer column of epoch ms."""
    no_nulls(column, name)
    if pa.types.is_timestamp(column.type):
        # Nanoseconds are cut to milliseconds: an event time has no more.
        column = column.cast(pa.timestamp("ms", tz=column.type.tz), safe=False)
    elif not pa.types.is_integer(column.type):
        raise ReplayError(f"column {name} is of type {column.type}; event_time is a timestamp or whole epoch milliseconds")
    values = np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)
    wrong = (values < _EARLIEST) | (values >= _LATEST)
    if wrong.any():
        raise ReplayError(f"column {name} holds {int(values[wrong][0])} ms: not epoch milliseconds from 2000 to 2100")
    return values


def ids(column: pa.Array, name: str) -> NDArray[np.object_]:
    """Return text [n] of an id column: numbers as they are written, text as it is."""
    no_nulls(column, name)
    texts = np.array(list(map(str, column.to_pylist())), dtype=object)
    lengths = np.fromiter(map(len, texts.tolist()), dtype=np.int64, count=len(texts))
    if ((lengths < 1) | (lengths > 64)).any():
        raise ReplayError(f"column {name} has ids that are empty or longer than 64 characters")
    return texts


def text(column: pa.Array) -> NDArray[np.object_]:
    """Return text [n], None where missing."""
    return np.array([None if v is None else str(v) for v in column.to_pylist()], dtype=object)


def flags(column: pa.Array, name: str) -> NDArray[np.bool_]:
    """Return booleans [n] of a boolean column or one of 0 and 1."""
    no_nulls(column, name)
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ReplayError(f"column {name} must hold 0 and 1, or booleans")
    return values.astype(np.bool_)


def degrees(column: pa.Array, name: str, limit: float) -> NDArray[np.float64]:
    """Return degrees [n], NaN where missing. Raises ReplayError beyond ±``limit``."""
    values = np.asarray(pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False), dtype=np.float64)
    if (np.abs(values) > limit).any():
        raise ReplayError(f"column {name} holds degrees beyond {limit:.0f}; leave these rows out")
    return values


def choices(column: pa.Array, name: str, field: str, among: tuple[str, ...]) -> NDArray[np.int8]:
    """Return positions in ``among`` [n], -1 where missing."""
    codes: dict[str | None, int] = {None: -1, **{str(mode): i for i, mode in enumerate(among)}}
    values = column.to_pylist()
    wrong = set(values) - set(codes)
    if wrong:
        raise ReplayError(f"column {name} holds {sorted(map(str, wrong))[0]!r}; {field} is one of {', '.join(among)}")
    return np.array([codes[value] for value in values], dtype=np.int8)


def answers(column: pa.Array, name: str) -> NDArray[np.int8]:
    """Return 0, 1 or -1 (missing) [n] of a boolean column or one of 0 and 1."""
    filled = np.full(len(column), -1, dtype=np.int8)
    known = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    filled[known] = flags(column.drop_null(), name)
    return filled
