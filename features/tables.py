"""Transactions and vectors out of Arrow tables: the one place where a batch's rows become what the transform reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.card_state import CardState
from features.columns import Columns, terminal_number
from features.events import ENTRY_MODES
from features.repo import layout
from features.transform import update
from features.vector import WIDTH

#: What the transform reads of a transaction, and the place in the log by which a card's transactions are ordered.
TRANSFORMED = (
    "event_time_ms",
    "card_id",
    "terminal_id",
    "amount_minor",
    "latitude",
    "longitude",
    "merchant_category",
    "entry_mode",
    "pin_used",
    "kafka_partition",
    "kafka_offset",
)


def schema_of(names: tuple[str, ...]) -> pa.Schema:
    """The named columns of the archive of scores, in the given order."""
    return pa.schema([layout.SCORES.field(name) for name in names])


def columns(table: pa.Table) -> Columns:
    """Columns of a table with (at least) TRANSFORMED, in its order; nulls become what stands for unknown."""
    return Columns(
        card=table.column("card_id").to_pylist(),
        event_time_ms=number(table, "event_time_ms", np.int64),
        amount_minor=number(table, "amount_minor", np.int64),
        terminal=_by_text(table.column("terminal_id"), terminal_number),
        latitude=number(table, "latitude", np.float64),
        longitude=number(table, "longitude", np.float64),
        entry_mode=_filled(pc.index_in(table.column("entry_mode"), pa.array(ENTRY_MODES)), np.int8),
        pin_used=_filled(table.column("pin_used").cast(pa.int8()), np.int8),
    )


def in_log_order(table: pa.Table) -> pa.Table:
    """The rows as the log holds them: by partition, then by offset."""
    return table.sort_by([("kafka_partition", "ascending"), ("kafka_offset", "ascending")])


class Recomputation:
    """The stream's columns computed again from tables in log order; a partition's card state goes on from table to table."""

    def __init__(self) -> None:
        self._states: dict[int, CardState] = {}

    def vectors(self, table: pa.Table) -> NDArray[np.float32]:
        """float32 [n, WIDTH] of a table with TRANSFORMED; customer and terminal columns hold their missing values."""
        found = np.empty((table.num_rows, WIDTH), dtype=np.float32)
        partition = number(table, "kafka_partition", np.int64)
        batch = columns(table)
        for one in np.unique(partition).tolist():
            rows = np.flatnonzero(partition == one)
            state = self._states.setdefault(one, CardState())
            found[rows] = update(state, batch if len(rows) == len(batch) else batch.take(rows))
        return found


def vectors(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float32]:
    """List column -> float32 [n, WIDTH]. Raises ValueError where a list has another length: the archive is broken then."""
    lists = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    if lists.null_count or len(flat) != len(lists) * WIDTH:
        raise ValueError(f"archived vectors do not have {WIDTH} values each though their schema says so; restore the archive")
    return np.array(flat, dtype=np.float32).reshape(-1, WIDTH)


def lists(vectors: NDArray[np.float32]) -> pa.Array:
    """float32 [n, k] -> list column, as the archive keeps vectors."""
    n, k = vectors.shape
    return pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * k), pa.array(vectors.reshape(-1)))


def number(table: pa.Table, name: str, dtype: type[np.generic]) -> NDArray[Any]:
    """A column as numpy; null becomes NaN in floats."""
    return np.asarray(table.column(name).to_numpy(), dtype=dtype)


def _filled(column: pa.ChunkedArray, dtype: type[np.generic]) -> NDArray[Any]:
    return np.asarray(pc.fill_null(column, -1).to_numpy(), dtype=dtype)


def _by_text(column: pa.ChunkedArray, of: Any) -> NDArray[np.int64]:
    """``of(text)`` of each row, computed once a distinct text."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    known = np.array([of(text) for text in encoded.dictionary.to_pylist()], dtype=np.int64)
    return known[encoded.indices.to_numpy()] if len(known) else np.zeros(0, dtype=np.int64)
