"""Rules: how a field is made of a file's columns. Data, and no language: what they cannot say is done before the replay."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.replay.cells import Column
from streams.replay.errors import ReplayError
from streams.replay.instants import instant_ms
from streams.replay.numbers import wholes
from streams.replay.texts import text

Part = Literal["year", "month", "day", "clock"]
PARTS: tuple[Part, ...] = get_args(Part)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a field's values come from: exactly one of the first five, and how they are read.

    ``column``: as it is. ``columns``: the texts of several, with ``join`` between them. ``constant``: the same text in every row.
    ``row``: this text and the row's number in the file, from 1. ``parts``: columns of year, month, day and clock (HH:MM), which
    make a time.

    ``values``: their text -> ours; what is not named is refused. ``layout`` (strptime's notation), ``unit`` and ``since``: of
    times, see ``streams.replay.instants.times``. ``strip``: characters to take out of numbers written as text; ``decimal``: their
    decimal comma. ``rounded``: round to the decimals of the unit instead of refusing more. ``below_zero``: what a negative number
    is, a mistake (``refuse``), a row to leave out (``skip``), or money that went back (``refund``). ``filled``: what any text but
    an empty one stands for.
    """

    column: str = ""
    columns: tuple[str, ...] = ()
    join: str = "-"
    constant: str | None = None
    row: str | None = None
    parts: dict[Part, str] = {}
    values: dict[str, str] = {}
    layout: str = ""
    unit: Literal["ms", "s", "min", "h", "d", "us", "ns"] = "ms"
    since: str = ""
    strip: str = ""
    decimal: Literal[".", ","] = "."
    rounded: bool = False
    below_zero: Literal["refuse", "skip", "refund"] = "refuse"
    filled: str = ""

    def __post_init__(self) -> None:
        sources = [self.column != "", bool(self.columns), self.constant is not None, self.row is not None, bool(self.parts)]
        if sum(sources) != 1:
            raise ValueError("a rule has exactly one of column, columns, constant, row and parts")
        if self.parts and set(self.parts) != set(PARTS):
            raise ValueError(f"parts are the columns of {', '.join(PARTS)}, each once")
        if self.since:
            instant_ms(self.since)

    @property
    def since_ms(self) -> int:
        """Return epoch ms of ``since``, 0 without one."""
        return instant_ms(self.since) if self.since else 0

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the file's columns that the rule reads."""
        return (self.column,) if self.column else (*self.columns, *self.parts.values())

    @property
    def name(self) -> str:
        """Return what messages call the column that the rule makes."""
        if self.constant is not None:
            return repr(self.constant)
        return " + ".join(self.needs) if self.needs else "(row number)"


def apply(rule: Rule, table: pa.Table, rows: NDArray[np.int64]) -> Column:
    """Make the rule's column for the table's rows, whose numbers in the file are ``rows`` [n]. Raises ReplayError."""
    if rule.column:
        made = Column.of(table.column(rule.column), rule.column, rows)
    elif rule.columns:
        texts = [text(Column.of(table.column(name), name, rows)) for name in rule.columns]
        joined = [rule.join.join(value or "" for value in row) for row in zip(*texts, strict=True)]
        made = Column(pa.array(joined, pa.string()), rule.name, rows)
    elif rule.constant is not None:
        made = Column(pa.array([rule.constant] * len(rows), pa.string()), rule.name, rows)
    elif rule.row is not None:
        made = Column(pa.array([f"{rule.row}{row}" for row in rows.tolist()], pa.string()), rule.name, rows)
    else:
        made = _assembled(rule, table, rows)
    if rule.filled:
        is_filled = pa.array([bool((value or "").strip()) for value in text(made)])
        return made.with_array(pc.if_else(is_filled, pa.scalar(rule.filled), pa.scalar(None, pa.string())))
    return _translated(made, rule.values) if rule.values else made


def _assembled(rule: Rule, table: pa.Table, rows: NDArray[np.int64]) -> Column:
    """Return ISO texts of the parts of a time."""
    year, month, day = (
        wholes(Column.of(table.column(rule.parts[part]), rule.parts[part], rows), f"it is a {part}")
        for part in ("year", "month", "day")
    )
    clocks = Column.of(table.column(rule.parts["clock"]), rule.parts["clock"], rows)
    clocks.no_missing()
    if pa.types.is_time(clocks.array.type):
        clocks = clocks.with_array(clocks.array.cast(pa.string()))
    elif not pa.types.is_string(clocks.array.type):
        raise clocks.wrong_type("a clock is text as 06:21")
    made = zip(year.tolist(), month.tolist(), day.tolist(), clocks.array.to_pylist(), strict=True)
    return Column(pa.array([f"{y:04d}-{m:02d}-{d:02d} {clock}" for y, m, d, clock in made], pa.string()), rule.name, rows)


def _translated(column: Column, values: dict[str, str]) -> Column:
    texts = pa.array(text(column), pa.string())
    place = pc.index_in(texts, pa.array(list(values), pa.string()))
    unknown = np.asarray(pc.fill_null(place, -1).to_numpy(zero_copy_only=False)) < 0
    column.with_array(texts).refuse(unknown & ~column.missing(), lambda value: f"{value} is none of {', '.join(values)}")
    return column.with_array(pa.array(list(values.values()), pa.string()).take(place))


def read_rule(value: object, where: str) -> Rule:
    """Read a rule of a map file: a column's name, or a table. Raises ReplayError, naming ``where`` it stands."""
    try:
        return msgspec.convert({"column": value} if isinstance(value, str) else value, Rule)
    except (msgspec.ValidationError, ValueError) as error:
        raise ReplayError(f"{where}: {error}; see docs/files.md") from error
