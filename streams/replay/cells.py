"""Columns of a file in few plain types, and refusals that name column and row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.replay.errors import ReplayError

#: A value in a message is cut after so many characters.
_SHOWN = 40


@dataclass(frozen=True)
class Column:
    """One column of n rows. ``array`` [n] is of a plain type (see ``plain``); ``rows`` [n] are the rows' numbers in the file,
    the first being 1 and a header not counted."""

    array: pa.Array
    name: str
    rows: NDArray[np.int64]

    @staticmethod
    def of(array: pa.Array | pa.ChunkedArray, name: str, rows: NDArray[np.int64] | None = None) -> Column:
        """Make a column of an array of any type. Raises ReplayError for a type that holds no single value a row."""
        if rows is None:
            rows = np.arange(1, len(array) + 1)
        return Column(plain(array, name, rows), name, rows)

    def __len__(self) -> int:
        return len(self.array)

    def shown(self, at: int) -> str:
        """Return a row's value as a message shows it."""
        value = self.array[at].as_py()
        text = repr(value) if isinstance(value, str) else str(value)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"

    def refusal(self, at: int, why: str) -> ReplayError:
        """Make the error about one row."""
        return ReplayError(f"column {self.name}, row {int(self.rows[at]):,}: {why}")

    def refuse(self, wrong: NDArray[np.bool_] | pa.Array, why: Callable[[str], str]) -> None:
        """Raise ReplayError for the first row that is ``wrong`` [n]; ``why`` is given its value as text."""
        mask = wrong if isinstance(wrong, np.ndarray) else trues(wrong)
        if mask.any():
            at = int(np.flatnonzero(mask)[0])
            raise self.refusal(at, why(self.shown(at)))

    def missing(self) -> NDArray[np.bool_]:
        """Tell which rows have no value [n]: null, or a number that is NaN."""
        return trues(self.array.is_null(nan_is_null=True))

    def no_missing(self) -> None:
        """Raise ReplayError for the first row without a value, and say how many such rows these are."""
        missing = self.missing()
        if missing.any():
            at = int(np.flatnonzero(missing)[0])
            raise self.refusal(at, "the value is missing; fill it, or leave such rows out")

    def with_array(self, array: pa.Array) -> Column:
        """Return the same rows with other values."""
        return Column(array, self.name, self.rows)

    def wrong_type(self, wanted: str) -> ReplayError:
        """Make the error about a type that no field of this kind can be read from."""
        return ReplayError(f"column {self.name} is of type {self.array.type}; {wanted}")


def trues(array: pa.Array) -> NDArray[np.bool_]:
    """Return an Arrow array of booleans as numpy's, false where null."""
    return np.asarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def plain(array: pa.Array | pa.ChunkedArray, name: str, rows: NDArray[np.int64]) -> pa.Array:
    """Return the array as one of: null, bool, an integer, float64 (float16 and float32 stay), decimal128 or 256, string,
    timestamp, date32, date64, time.

    Dictionaries (categoricals) and run-length encoded values are written out, all kinds of text become string, and bytes
    become the text that they are in UTF-8. Raises ReplayError for bytes that are none, and for types with several values a row.
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else pa.concat_arrays(array.chunks) if array.num_chunks else _empty(array)
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _extension(array, name, rows)
    if pa.types.is_dictionary(kind):
        return plain(array.dictionary_decode(), name, rows)
    if pa.types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(array), name, rows)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return array.cast(pa.string())
    if _is_bytes(kind):
        return _decoded(array, name, rows)
    if pa.types.is_nested(kind) or pa.types.is_duration(kind) or pa.types.is_interval(kind):
        raise ReplayError(f"column {name} is of type {kind}; a field takes one text, number, time or yes or no a row")
    return array


def _empty(array: pa.ChunkedArray) -> pa.Array:
    return pa.array([], array.type)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _extension(array: pa.ExtensionArray, name: str, rows: NDArray[np.int64]) -> pa.Array:
    """Return what an extension type stands for: a UUID its text, any other what it is stored as."""
    if array.type.extension_name == "arrow.uuid":
        return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    if array.type.extension_name.startswith("pandas."):
        # A period is stored as a count of periods since 1970, which would pass for a number.
        raise ReplayError(f"column {name} is of type {array.type}; write times as timestamps")
    return plain(array.storage, name, rows)


def _decoded(array: pa.Array, name: str, rows: NDArray[np.int64]) -> pa.Array:
    if pa.types.is_binary_view(array.type) or pa.types.is_fixed_size_binary(array.type):
        array = array.cast(pa.binary())
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        for at, value in enumerate(array.to_pylist()):
            try:
                (value or b"").decode()
            except UnicodeDecodeError:
                raise ReplayError(
                    f"column {name}, row {int(rows[at]):,}: these bytes are no text in UTF-8; write the column as text"
                ) from None
        raise
