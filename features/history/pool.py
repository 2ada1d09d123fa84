"""Room for segments in the pool: one that is too small is moved to one of the right size, and its place is used again.

Sizes are multiples of ``MULTIPLE`` rows. Free segments of each size are a list, whose links lie in the segments themselves; where
there is none, the pool's unused end gives one; where that is used up, all segments are copied into a fresh pool without holes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled, compiled_cached
from features.catalogue.windows import MAX_ROWS
from features.history.row_layout import (
    CAPACITY,
    LENGTH,
    MULTIPLE,
    NEWEST,
    START,
    History,
    copy_rows,
    drop_old,
    segment,
    segment_at,
    words_of,
)

#: No subject has room for more rows.
MOST = 2 * MAX_ROWS
#: Sizes of segments, in multiples of MULTIPLE rows.
SIZES = MOST // MULTIPLE + 1
#: A segment that grows gets one row in eight to spare, a small one half of that, and is left as it is while it has half of
#: what it gets: to make room in a small one moves a few cache lines only.
_SMALL = 80
_NONE = -1


def history(subjects: NDArray[np.int64], apart: NDArray[np.int32], n: int) -> History:
    """Make a pool of ``n`` words in which nothing is free but its end."""
    words = np.empty(n, dtype=np.int64)
    free = np.full(SIZES, _NONE, dtype=np.int64)
    return History(subjects, free, words, words.view(np.int32), words.view(np.float32), words.view(np.uint8), apart)


@compiled
def _spare(rows: int) -> int:
    return max(rows // 16, 2) if rows <= _SMALL else rows // 8


@compiled_cached
def find_tight(
    h: History, slots: NDArray[np.int64], coming: NDArray[np.int32], tight: NDArray[np.int64], wanted: NDArray[np.int64]
) -> int:
    """Write the slots whose segments are too small for the batch, and the capacities they need; return how many they are.

    Rows that left a subject's history are dropped first. A segment is left as it is only where that frees a few: a subject that
    has as many rows come as leave would have them dropped, and the rest moved, at each event.
    """
    for slot in slots:
        coming[slot] += 1
    segments = 0
    for slot in slots:
        more, coming[slot] = coming[slot], 0
        if more == 0 or h.subjects[slot, CAPACITY] >= min(h.subjects[slot, LENGTH] + more, MOST):
            continue
        drop_old(h, slot)
        need = h.subjects[slot, LENGTH] + more
        if h.subjects[slot, CAPACITY] >= min(need + _spare(need) // 2, MOST):
            continue
        tight[segments] = slot
        room = need + _spare(need)
        wanted[segments] = min(room + (-room) % MULTIPLE, MOST)
        segments += 1
    return segments


@compiled
def _take(h: History, rows: int, used: int) -> tuple[int, int, int]:
    """Take a segment of so many rows or a few more; return its start (_NONE: no room), its rows, and the words in use then."""
    size = rows // MULTIPLE
    for larger in range(size, min(size + size // 8 + 1, SIZES)):
        start = h.free[larger]
        if start != _NONE:
            h.free[larger] = h.words[start]
            return start, larger * MULTIPLE, used
    if used + words_of(rows) > h.words.shape[0]:
        return _NONE, rows, used
    return used, rows, used + words_of(rows)


@compiled_cached
def move(h: History, slots: NDArray[np.int64], wanted: NDArray[np.int64], begin: int, used: int) -> tuple[int, int]:
    """Move the segments of ``slots[begin:]`` to others of ``wanted`` rows; return how far that went, and the words in use."""
    for k in range(begin, slots.shape[0]):
        slot = slots[k]
        start, rows, used = _take(h, wanted[k], used)
        if start == _NONE:
            return k, used
        copy_rows(segment(h, slot), 0, segment_at(h, start, rows, h.subjects[slot, NEWEST]), 0, h.subjects[slot, LENGTH])
        room = h.subjects[slot, CAPACITY]
        if room > 0:
            h.words[h.subjects[slot, START]] = h.free[room // MULTIPLE]
            h.free[room // MULTIPLE] = h.subjects[slot, START]
        h.subjects[slot, START] = start
        h.subjects[slot, CAPACITY] = rows
    return slots.shape[0], used


@compiled_cached
def pack(source: History, target: History) -> int:
    """Copy all segments, without holes, into the capacities that ``target.subjects``, else a copy of ``source.subjects``, has for
    them, and write there where they are. Return the words used.
    """
    used = 0
    for slot in range(source.subjects.shape[0]):
        n = target.subjects[slot, CAPACITY]
        copy_rows(segment(source, slot), 0, segment_at(target, used, n, 0), 0, source.subjects[slot, LENGTH])
        target.subjects[slot, START] = used
        used += words_of(n)
    return used
