"""The table of an admission: ids that came, by open addressing, int64 [size, 3] with a size that is a power of two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled, compiled_cached
from streams.event_clock import CARDS

#: Columns. A key of zero is an empty place.
KEY, BODY, SEEN = range(3)


def empty(size: int) -> NDArray[np.int64]:
    """A table without entries."""
    return np.zeros((size, 3), dtype=np.int64)


def used(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """The entries of a table, or of a part of one, as a copy."""
    entries: NDArray[np.int64] = table[table[:, KEY] != 0]
    return entries


def alive(entries: NDArray[np.int64], clock: NDArray[np.int64], horizon_ms: int) -> NDArray[np.bool_]:
    """Which of the entries a transaction to come could repeat."""
    if clock[-1, 0] < CARDS:
        return np.ones(len(entries), dtype=np.bool_)  # the clock may still go back
    found: NDArray[np.bool_] = entries[:, SEEN] > clock[-1, 1] - horizon_ms
    return found


@compiled
def place_of(table: NDArray[np.int64], key: int) -> int:
    """Where the key is, or the empty place where it would be."""
    mask = table.shape[0] - 1
    place = key & mask
    while table[place, KEY] != 0 and table[place, KEY] != key:
        place = (place + 1) & mask
    return int(place)


@compiled_cached
def fill(table: NDArray[np.int64], entries: NDArray[np.int64]) -> None:
    """Put the entries in; there must be room."""
    for i in range(entries.shape[0]):
        place = place_of(table, entries[i, KEY])
        for j in range(3):
            table[place, j] = entries[i, j]


@compiled_cached
def look_up(table: NDArray[np.int64], keys: NDArray[np.int64], entries: NDArray[np.int64]) -> None:
    """Write what the table holds for n keys into ``entries`` [n, 3]: zeros where it holds nothing."""
    for i in range(keys.shape[0]):
        place = place_of(table, keys[i])
        for j in range(3):
            entries[i, j] = table[place, j]
