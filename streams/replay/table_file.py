"""A file of rows, Parquet or CSV, read in pieces, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from streams.replay.csv_file import CsvFile, CsvShape, is_csv
from streams.replay.errors import ReplayError
from streams.replay.pieces import ROWS_AT_ONCE, MayHold, Piece, TableFile


def open_table(path: Path, shape: CsvShape) -> TableFile:
    """Open a file by its beginning and its name. Raises ReplayError for one that is neither Parquet nor CSV."""
    if path.is_dir():
        raise ReplayError(f"{path} is a folder; replay its files one after the other, in order of time")
    if is_csv(path, shape):
        return CsvFile(path, shape)
    return ParquetFile(path)


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file, one row group after the other."""

    path: Path

    def __post_init__(self) -> None:
        try:
            pq.read_schema(self.path)
        except (OSError, pa.ArrowException) as error:
            raise ReplayError(f"{self.path} cannot be read as Parquet: {error}; the name of a CSV file ends in .csv") from error

    @property
    def names(self) -> list[str]:
        """Return the columns in the file's order."""
        return list(pq.read_schema(self.path).names)

    def pieces(self, columns: Sequence[str], may_hold: MayHold) -> Iterator[Piece]:
        """Yield the rows of the row groups that ``may_hold`` one that is wanted."""
        row = 1
        try:
            with pq.ParquetFile(self.path) as file:
                for group in range(file.num_row_groups):
                    meta = file.metadata.row_group(group)
                    first, row = row, row + meta.num_rows
                    if not may_hold(meta):
                        continue
                    for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=list(columns)):
                        yield Piece(pa.Table.from_batches([batch]), np.arange(first, first + len(batch)))
                        first += len(batch)
        except (OSError, pa.ArrowException) as error:
            raise ReplayError(f"{self.path} is damaged near row {row:,}: {error}") from error
