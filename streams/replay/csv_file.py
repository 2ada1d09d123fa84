"""A CSV file. All columns are read as text, so that ids keep their leading zeros; what a text means is for its field to say."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from streams.replay.errors import ReplayError
from streams.replay.pieces import ROWS_AT_ONCE, MayHold, Piece

_SUFFIXES = (".csv", ".tsv", ".psv", ".txt")
SEPARATORS = (",", ";", "\t", "|")
#: Read at once; a row must fit into it.
_BLOCK_BYTES = 8 * 1024 * 1024
_SNIFFED_BYTES = 64 * 1024


@dataclass(frozen=True)
class CsvShape:
    """How a CSV file is written. ``separator``: one character, empty to look for it in the first line. ``columns``: their names,
    where the file has no header."""

    separator: str = ""
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.separator.encode()) > 1 or self.separator in ('"', "\n", "\r"):
            raise ReplayError(f"--separator is {self.separator!r}; it is one character, as in ; or tab")
        if "" in self.columns or len(set(self.columns)) != len(self.columns):
            raise ReplayError("--columns has an empty name, or a name twice; give each column its own")


def is_csv(path: Path, shape: CsvShape) -> bool:
    """Tell whether a file is meant to be CSV: by its name, or because somebody says how it is written."""
    name = path.name.lower().removesuffix(".gz")
    try:
        with path.open("rb") as file:
            parquet = file.read(4) == b"PAR1"
    except OSError:
        parquet = False
    return not parquet and (name.endswith(_SUFFIXES) or bool(shape.columns or shape.separator))


@dataclass(frozen=True)
class CsvFile:
    """A CSV file in UTF-8, gzipped where its name says so. Quoted fields may hold separators and line ends."""

    path: Path
    shape: CsvShape

    @cached_property
    def names(self) -> list[str]:
        """Return the columns of the header, or those that were named."""
        if self.shape.columns:
            return list(self.shape.columns)
        broken: list[Any] = []
        try:
            with self._opened(None, broken) as reader:
                return list(reader.schema.names)
        except (OSError, EOFError, pa.ArrowException) as error:
            raise self._refusal(error, broken, None) from error

    def pieces(self, columns: Sequence[str], may_hold: MayHold) -> Iterator[Piece]:
        """Yield all rows; a CSV file has no row groups to pass over."""
        row = 1
        broken: list[Any] = []
        try:
            with self._opened(list(columns), broken) as reader:
                for batch in reader:
                    for first in range(0, len(batch), ROWS_AT_ONCE):
                        part = batch.slice(first, ROWS_AT_ONCE)
                        yield Piece(pa.Table.from_batches([part]), np.arange(row, row + len(part)))
                        row += len(part)
        except (OSError, EOFError, pa.ArrowException) as error:
            raise self._refusal(error, broken, row) from error

    def _refusal(self, error: Exception, broken: list[Any], row: int | None) -> ReplayError:
        """Make the error about a file that cannot be read, from ``row`` on where some of it could."""
        if not broken:
            where = "cannot be read as CSV" if row is None else f"is damaged after row {row - 1:,}"
            return ReplayError(f"{self.path} {where}: {_line(error)}")
        bad = broken[0]
        at = bad.number if self.shape.columns else bad.number - 1
        return ReplayError(
            f"{self.path.name}, row {at:,}: it has {bad.actual_columns} fields, and the others have {bad.expected_columns}; "
            "quote fields that hold the separator"
        )

    def _opened(self, columns: list[str] | None, broken: list[Any]) -> csv.CSVStreamingReader:
        def refuse(row: Any) -> str:
            broken.append(row)
            return "error"

        separator = self.shape.separator or self._separator
        kinds = {name: pa.binary() for name in columns or []}
        return csv.open_csv(
            pa.input_stream(str(self.path), compression="gzip" if self._gzipped else None),
            # Only one thread knows the number of a broken row.
            csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=list(self.shape.columns) or None),
            csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=refuse),
            csv.ConvertOptions(
                column_types=kinds, include_columns=columns, null_values=[""], strings_can_be_null=True, check_utf8=False
            ),
        )

    @property
    def _gzipped(self) -> bool:
        return self.path.name.lower().endswith(".gz")

    @cached_property
    def _separator(self) -> str:
        """Return the separator that stands most often in the first line, outside of quotes."""
        opener = gzip.open if self._gzipped else open
        try:
            with opener(self.path, "rb") as file:
                start = file.read(_SNIFFED_BYTES)
        except (OSError, EOFError) as error:
            raise ReplayError(f"{self.path} cannot be read as CSV: {_line(error)}") from error
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise ReplayError(f"{self.path} is written in UTF-16; write it in UTF-8")
        bare, quoted = [], False
        for character in start.decode(errors="replace"):
            if character == '"':
                quoted = not quoted
            elif not quoted and character == "\n":
                break
            elif not quoted:
                bare.append(character)
        return max(SEPARATORS, key=bare.count)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
