"""The table of an admission: ids that came, by open addressing, int64 [size, 3] with a size that is a power of two."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled, compiled_cached
from streams.scoring.admission.event_clock import NEVER, SUBJECTS

#: Columns. A key of zero is an empty place.
KEY, BODY, SEEN = range(3)
#: Tables of so many bytes get memory of their own.
_MAPPED = 1 << 20
#: Linux only.
_SMALL_PAGES: int | None = getattr(mmap, "MADV_NOHUGEPAGE", None)


def empty(size: int) -> NDArray[np.int64]:
    """Make a table without entries. Its memory comes as it is filled, in small pages: with the huge ones that numpy asks for,
    the ids of a single batch, which lie anywhere, would have all of it zeroed at once."""
    if 24 * size < _MAPPED:
        return np.zeros((size, 3), dtype=np.int64)
    memory = mmap.mmap(-1, 24 * size)
    if _SMALL_PAGES is not None:
        memory.madvise(_SMALL_PAGES)
    return np.frombuffer(memory, dtype=np.int64).reshape(size, 3)


def used(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the entries of a table, or of a part of one, as a copy."""
    entries: NDArray[np.int64] = table[table[:, KEY] != 0]
    return entries


def oldest(clock: NDArray[np.int64], horizon_ms: int) -> int:
    """Return a time: a transaction to come can repeat none that was seen then or before."""
    return int(clock[-1, 1]) - horizon_ms if clock[-1, 0] >= SUBJECTS else NEVER  # until then the clock may go back


def alive(entries: NDArray[np.int64], clock: NDArray[np.int64], horizon_ms: int) -> NDArray[np.bool_]:
    """Tell which of the entries a transaction to come could repeat."""
    repeatable: NDArray[np.bool_] = entries[:, SEEN] > oldest(clock, horizon_ms)
    return repeatable


@compiled
def place_of(table: NDArray[np.int64], key: int) -> int:
    """Find where the key is, or the empty place where it would be."""
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
def move(old: NDArray[np.int64], table: NDArray[np.int64], oldest: int) -> int:
    """Put entries of ``old`` that were seen after ``oldest`` into the table, unless it has newer ones of their keys; there must
    be room. Returns how many places were filled."""
    filled = 0
    for i in range(old.shape[0]):
        if old[i, KEY] != 0 and old[i, SEEN] > oldest:
            place = place_of(table, old[i, KEY])
            if table[place, KEY] == 0:
                filled += 1
                for j in range(3):
                    table[place, j] = old[i, j]
    return filled


@compiled_cached
def look_up(table: NDArray[np.int64], keys: NDArray[np.int64], entries: NDArray[np.int64]) -> None:
    """Write what the table holds for n keys into ``entries`` [n, 3]: zeros where it holds nothing."""
    for i in range(keys.shape[0]):
        place = place_of(table, keys[i])
        for j in range(3):
            entries[i, j] = table[place, j]
