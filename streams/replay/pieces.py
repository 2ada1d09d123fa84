"""Pieces of a file of rows, and what every kind of such a file can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

ROWS_AT_ONCE = 65_536


class Piece(NamedTuple):
    """Rows that follow each other; ``rows`` [n] are their numbers in the file, from 1."""

    table: pa.Table
    rows: NDArray[np.int64]

    def take(self, chosen: NDArray[np.bool_] | slice) -> Piece:
        """Return the chosen rows."""
        if isinstance(chosen, slice):
            return Piece(self.table.slice(chosen.start, chosen.stop - chosen.start), self.rows[chosen])
        return Piece(self.table.filter(pa.array(chosen)), self.rows[chosen])


#: Tells by the metadata of a row group whether it can hold a row that is wanted.
MayHold = Callable[[Any], bool]


class TableFile(Protocol):
    """A file of rows with named columns."""

    @property
    def names(self) -> list[str]:
        """Return the columns in the file's order."""

    def pieces(self, columns: Sequence[str], may_hold: MayHold) -> Iterator[Piece]:
        """Yield the rows in the file's order, with these columns. Raises ReplayError where the file is damaged."""
