"""Vectors from outside: shape, type, size and values, checked before any model sees them. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from serving.server.errors import InvalidVectors, TooLarge

MAX_ROWS = 65_536


def from_raw(raw: bytes, shape: Sequence[int], width: int) -> NDArray[np.float32]:
    """Return float32 [n, width] over ``raw`` (little-endian, row by row), without a copy. Raises InvalidVectors, TooLarge."""
    rows = check_shape(shape, width)
    if len(raw) != rows * width * 4:
        raise InvalidVectors(f"'features' has {len(raw)} bytes; the shape {list(shape)} in FP32 takes {rows * width * 4}")
    return np.frombuffer(raw, dtype="<f4").reshape(rows, width)


def from_flat(values: object, shape: Sequence[int], width: int) -> NDArray[np.float32]:
    """Return float32 [n, width] from numbers, flat or nested, that fill ``shape``. Raises InvalidVectors, TooLarge."""
    rows = check_shape(shape, width)
    array = _numbers(values, "data of 'features'").reshape(-1)
    if array.size != rows * width:
        raise InvalidVectors(f"data of 'features' has {array.size} numbers; the shape {list(shape)} takes {rows * width}")
    return array.reshape(rows, width)


def from_rows(rows: object, width: int) -> NDArray[np.float32]:
    """Return float32 [n, width] from a list of lists of numbers. Raises InvalidVectors, TooLarge."""
    if not isinstance(rows, list) or not rows:
        raise InvalidVectors(f"'instances' must be a list of one or more vectors of {width} numbers each")
    if len(rows) > MAX_ROWS:
        raise _too_large(len(rows))
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width:
            shape = f"{len(row)} numbers" if isinstance(row, list) else type(row).__name__
            raise InvalidVectors(f"'instances'[{index}] is {shape}; a vector is a list of {width} numbers")
    return _numbers(rows, "'instances'")


def check_shape(shape: Sequence[int], width: int) -> int:
    """Return the number of rows of a [n, width] shape. Raises InvalidVectors, TooLarge."""
    if len(shape) != 2 or shape[0] < 1 or shape[1] != width:
        raise InvalidVectors(f"'features' has the shape {list(shape)}; it must be [n, {width}] with one row or more")
    if shape[0] > MAX_ROWS:
        raise _too_large(shape[0])
    return shape[0]


def check_finite(vectors: NDArray[np.float32], names: Sequence[str]) -> None:
    """Raise InvalidVectors, naming the first row and feature that is NaN or infinite."""
    finite = np.isfinite(vectors)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise InvalidVectors(
            f"row {row}, feature '{names[column]}' is {vectors[row, column]}; "
            "vectors are finite: send the value that stands for missing (features/catalogue/vector.py lists it)"
        )


def _numbers(values: object, field: str) -> NDArray[np.float32]:
    try:
        # By way of object, since numpy would read the text "1.5" and True as numbers.
        flat = np.array(values, dtype=object).reshape(-1)
        kinds = set(map(type, flat))
        if not kinds <= {int, float}:
            strange = sorted(kind.__name__ for kind in kinds - {int, float})
            raise InvalidVectors(f"{field} holds {', '.join(strange)}; it must hold numbers only")
        with np.errstate(over="ignore"):
            return np.asarray(values, dtype=np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidVectors(f"{field} is not a regular list of numbers ({error}); send rows of equal length") from error


def _too_large(rows: int) -> TooLarge:
    return TooLarge(f"{rows} rows are too many for one call; send at most {MAX_ROWS:,} at a time")
