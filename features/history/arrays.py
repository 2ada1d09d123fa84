"""A card state's histories as arrays without holes, each column as wide as its values are, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled_cached
from features.history.row_layout import (
    FLAGS,
    LENGTH,
    NEWEST,
    SWEPT,
    History,
    age,
    amount_of,
    drop_old,
    put_amount,
    put_time,
    segment,
)

#: The columns of a row.
COLUMNS: dict[str, Any] = {
    "times": np.int64,
    "flags": np.int64,
    "amounts": np.int64,
    "terminals": np.int32,
    "ratios": np.float32,
    "latitudes": np.float32,
    "longitudes": np.float32,
}


class Table(NamedTuple):
    """The rows of all cards, one after the other: event time in ms, flags (``features.history.row_layout``), amount in minor
    units, ..."""

    times: NDArray[np.int64]
    flags: NDArray[np.int64]
    amounts: NDArray[np.int64]
    terminals: NDArray[np.int32]
    ratios: NDArray[np.float32]
    latitudes: NDArray[np.float32]
    longitudes: NDArray[np.float32]


@compiled_cached
def drop_old_of(h: History, slots: NDArray[np.int64]) -> None:
    """Remove what is no part of these cards' histories any more."""
    for slot in slots:
        drop_old(h, slot)


@compiled_cached
def write_out(h: History, slots: NDArray[np.int64], out: Table) -> None:
    """Fill ``out`` with the rows of ``slots``."""
    at = 0
    for slot in slots:
        card = segment(h, slot)
        for row in range(h.cards[slot, LENGTH]):
            out.times[at] = card.newest - age(card, row)
            out.flags[at] = card.flags[row] & FLAGS
            out.amounts[at] = amount_of(card, row)
            out.terminals[at] = card.terminals[row]
            out.ratios[at] = card.ratios[row]
            out.latitudes[at] = card.latitudes[row]
            out.longitudes[at] = card.longitudes[row]
            at += 1


@compiled_cached
def read_in(h: History, first: int, rows: Table) -> None:
    """Fill the segments of the slots from ``first`` on, which have their lengths already."""
    at = 0
    for slot in range(first, h.cards.shape[0]):
        n = h.cards[slot, LENGTH]
        if n > 0:
            h.cards[slot, NEWEST] = h.cards[slot, SWEPT] = rows.times[at + n - 1]
        card = segment(h, slot)
        for row in range(n):
            put_time(card, row, rows.times[at], rows.flags[at])
            put_amount(card, row, rows.amounts[at])
            card.terminals[row] = rows.terminals[at]
            card.ratios[row] = rows.ratios[at]
            card.latitudes[row] = rows.latitudes[at]
            card.longitudes[row] = rows.longitudes[at]
            at += 1
