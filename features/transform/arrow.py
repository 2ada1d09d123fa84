"""Transactions and vectors out of Arrow tables: in the log's order through the transform, and as lists and matrices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.archive import generations, layout
from features.base import names
from features.base.active import ROLES
from features.base.sections import Features
from features.catalogue.vector import WIDTH
from features.catalogue.windows import KEEP_MS
from features.history.state import SubjectState, named
from features.transform.columns import from_table
from features.transform.update import update

#: What the transform reads of a transaction, and the place in the log by which a subject's transactions are ordered.
TRANSFORMED = (
    *(ROLES.time, ROLES.subject, ROLES.counterpart, ROLES.measure),
    *(ROLES.place or ()),
    *(name for name in (ROLES.category, ROLES.mode, ROLES.flag, ROLES.kind) if name is not None),
    *("reference_measure", "measure_unknown"),
    *("kafka_partition", "kafka_offset"),
)
names.check(f"{__name__}.TRANSFORMED", TRANSFORMED, layout.SCORES.names, "column of the archive of scores")


def schema_of(names: tuple[str, ...]) -> pa.Schema:
    """Return the named columns of the archive of scores, in the given order."""
    return pa.schema([layout.SCORES.field(name) for name in names])


def in_log_order(table: pa.Table) -> pa.Table:
    """Return the rows as the log holds them: by partition, then by offset."""
    return table.sort_by([("kafka_partition", "ascending"), ("kafka_offset", "ascending")])


#: How far back events must be read for the vectors of a day: through its own history, each row of which carries what was
#: said of it at its arrival (``features.history.insert``: ratio and flags), by a history of its own.
HISTORY_MS = 2 * KEEP_MS


class Recomputation:
    """The stream's columns computed again from tables in log order; a partition's subject state goes on from table to table.

    Where the log went on in other partitions (``features.archive.generations``), each subject's history goes with it.
    """

    def __init__(self, features: Features) -> None:
        self._measure_limit = features.measure_limit
        self._generation = 0
        self._states: dict[int, SubjectState] = {}

    def vectors(self, table: pa.Table) -> NDArray[np.float32]:
        """Return float32 [n, WIDTH] of a table with TRANSFORMED; owner and counterpart columns hold their missing values."""
        matrix = np.empty((table.num_rows, WIDTH), dtype=np.float32)
        partition = number(table, "kafka_partition", np.int64)
        batch = from_table(table)
        for partition_number in np.unique(partition).tolist():
            rows = np.flatnonzero(partition == partition_number)
            state = self._state(partition_number)
            matrix[rows] = update(state, batch if len(rows) == len(batch) else batch.take(rows), self._measure_limit)
        return matrix

    def _state(self, partition: int) -> SubjectState:
        generation = generations.of(partition)
        if generation == 0:
            return self._states.setdefault(partition, SubjectState())
        if self._generation == 0:
            self._generation = generation
            self._states = {0: _together(self._states.values())}
        # By key, a subject is in one partition: from here on one state serves all of them.
        return self._states[0]


def _together(states: Iterable[SubjectState]) -> SubjectState:
    """Return the subjects of all; of one that is in several, for want of a key, the first history."""
    parts, seen = [], set[str]()
    for state in states:
        subjects = [subject for subject in state.ids() if subject not in seen]
        seen.update(subjects)
        parts.append({**named(subjects), **state.part(state.known(subjects))})
    return SubjectState.from_arrays(*parts)


def vectors(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float32]:
    """Return float32 [n, WIDTH] of a list column. Raises ValueError where a list has another length: the archive is broken."""
    lists = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    if lists.null_count or len(flat) != len(lists) * WIDTH:
        raise ValueError(f"archived vectors do not have {WIDTH} values each though their schema says so; restore the archive")
    return np.array(flat, dtype=np.float32).reshape(-1, WIDTH)


def lists(vectors: NDArray[np.float32]) -> pa.Array:
    """Return float32 [n, k] as a list column, as the archive keeps vectors."""
    n, k = vectors.shape
    return pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * k), pa.array(vectors.reshape(-1)))


def number(table: pa.Table, name: str, dtype: type[np.generic]) -> NDArray[Any]:
    """Return a column as numpy; null becomes NaN in floats."""
    return np.asarray(table.column(name).to_numpy(), dtype=dtype)
