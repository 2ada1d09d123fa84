"""Where a subject's history lies: one row of sums for each subject, one segment of a pool for each subject's transactions.

A segment has room for ``capacity`` rows of 26 bytes, of which the first ``length`` are filled, oldest event first. Its columns
lie one after the other, so that a subject's whole history is on one or two pages of memory.

Columns are as narrow as they can be and still give every bit back. A time is 34 bits of milliseconds, counted around (198 days):
what is told is its distance to the subject's newest transaction, and a segment holds none that is further away. A measure is 40
bits. The low 32 bits of both are columns of their own; what is above them lies in two columns of bytes, one of which has the
row's flags, too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled, compiled_inside
from features.catalogue.windows import DAY_MS, KEEP_MS, LENGTHS, MAX_ROWS

#: The windows whose sums run (``features.history.running_sums``); the shorter ones hold a few rows, which are looked at each
#: time.
SHORT = sum(length <= DAY_MS for length in LENGTHS)
LONG = len(LENGTHS) - SHORT
#: Columns of ``History.subjects``: where the subject's segment starts in ``words``, how many rows are filled, for how many there
#: is room, the time of the newest, where the search for the median begins (that changes the time it takes, never the answer);
#: whether the sums hold, the newest row with a high measure, -1 if none, and what was the newest time when old rows were dropped.
START, LENGTH, CAPACITY, NEWEST, GUESS, VALID, NEWEST_HIGH, SWEPT = range(8)
#: Then eight columns for each long window: its first row, and sums over its rows (``features.history.running_sums``).
_FIRST, _EACH = 8, 8
ROW, TOTAL, LOW, XX, XY, YY, LANES, HIGHEST = range(_EACH)
#: Four cache lines.
COLUMNS_A_SUBJECT = 32
assert _FIRST + _EACH * LONG <= COLUMNS_A_SUBJECT

ROW_BYTES = 26
#: Capacities are multiples of this, so that a segment is whole words of 8 bytes.
MULTIPLE = 4
#: Flags of a row. NEWEST_USE: no later row has its counterpart; FIRST_USE: no earlier one within LONGEST_MS has.
#: MARKS: three that the domain gives (``features.base.domain.RowFlag``).
NEWEST_USE, FIRST_USE, MARKS, HIGH_MEASURE = 1, 2, 4 | 8 | 16, 32
#: What lies beside a subject (``features.history.apart``) has its kind in their place: one of so many.
KIND_BIT = 2
OTHER_KINDS = MARKS >> KIND_BIT
FLAG_BITS = 6
FLAGS = (1 << FLAG_BITS) - 1
_LOW_BITS = 32
_LOW_MASK = (1 << _LOW_BITS) - 1
_TIME_HIGH = 3
#: Ages up to this many milliseconds can be told; what is kept is younger by far.
OLDEST_MS = (1 << (_LOW_BITS + 8 - FLAG_BITS)) - 1
assert OLDEST_MS > 2 * KEEP_MS


class History(NamedTuple):
    """``subjects`` int64 [slots, COLUMNS_A_SUBJECT]; ``free`` int64: the first free segment of each size
    (``features.history.pool``).
    ``halves``, ``singles`` and ``bytes`` are ``words`` seen as other types. ``apart`` int32 [slots]: in which slot a subject's
    events of other kinds lie (``features.history.apart``), 0 where it has none.
    """

    subjects: NDArray[np.int64]
    free: NDArray[np.int64]
    words: NDArray[np.int64]
    halves: NDArray[np.int32]
    singles: NDArray[np.float32]
    bytes: NDArray[np.uint8]
    apart: NDArray[np.int32]


class Segment(NamedTuple):
    """A subject's rows, as views of the pool. ``newest``: the subject's newest time, from which ``times`` are told (``age``).
    ``ratios``: ratio_to_robust_mean as of the row's arrival. Unknown places are NaN.
    """

    newest: int
    times: NDArray[np.int32]
    measures: NDArray[np.int32]
    counterparts: NDArray[np.int32]
    ratios: NDArray[np.float32]
    latitudes: NDArray[np.float32]
    longitudes: NDArray[np.float32]
    flags: NDArray[np.uint8]
    measures_high: NDArray[np.uint8]


@compiled_inside
def words_of(rows: int) -> int:
    """Return how many words of 8 bytes so many rows take; for multiples of MULTIPLE."""
    return rows * ROW_BYTES // 8


@compiled_inside
def window(k: int) -> int:
    """Return where the sums of long window ``k`` begin in a subject's row."""
    return _FIRST + _EACH * k


@compiled_inside
def segment(h: History, slot: int) -> Segment:
    """Return the rows of a subject, all ``capacity`` of them."""
    rows: Segment = segment_at(h, h.subjects[slot, START], h.subjects[slot, CAPACITY], h.subjects[slot, NEWEST])
    return rows


@compiled_inside
def segment_at(h: History, start: int, n: int, newest: int) -> Segment:
    """Return the ``n`` rows that start at a word of the pool."""
    half = 2 * start
    byte = 8 * start + 24 * n
    return Segment(
        newest,
        h.halves[half : half + n],
        h.halves[half + n : half + 2 * n],
        h.halves[half + 2 * n : half + 3 * n],
        h.singles[half + 3 * n : half + 4 * n],
        h.singles[half + 4 * n : half + 5 * n],
        h.singles[half + 5 * n : half + 6 * n],
        h.bytes[byte : byte + n],
        h.bytes[byte + n : byte + 2 * n],
    )


@compiled_inside
def age(subject: Segment, row: int) -> int:
    """Return by how many milliseconds a row is older than the subject's newest."""
    time = (np.int64(subject.times[row]) & _LOW_MASK) | (np.int64(subject.flags[row]) >> FLAG_BITS) << _LOW_BITS
    return int((subject.newest - time) & OLDEST_MS)


@compiled_inside
def measure_of(subject: Segment, row: int) -> int:
    """Return a row's measure in minor units."""
    return int((np.int64(subject.measures[row]) & _LOW_MASK) | np.int64(subject.measures_high[row]) << _LOW_BITS)


@compiled_inside
def put_time(subject: Segment, row: int, time: int, flags: int) -> None:
    """Write a row's time and its flags."""
    subject.times[row] = np.int32(time & _LOW_MASK)
    subject.flags[row] = flags | (time >> _LOW_BITS & _TIME_HIGH) << FLAG_BITS


@compiled_inside
def put_measure(subject: Segment, row: int, measure: int) -> None:
    """Write a row's measure, in [0, 2^40)."""
    subject.measures[row] = np.int32(measure & _LOW_MASK)
    subject.measures_high[row] = measure >> _LOW_BITS


@compiled
def copy_rows(source: Segment, begin: int, target: Segment, place: int, count: int) -> None:
    """Copy ``count`` rows; front to back, so that a move to lower rows of the same segment is safe."""
    for i in range(count):
        target.times[place + i] = source.times[begin + i]
    for i in range(count):
        target.measures[place + i] = source.measures[begin + i]
    for i in range(count):
        target.counterparts[place + i] = source.counterparts[begin + i]
    for i in range(count):
        target.ratios[place + i] = source.ratios[begin + i]
    for i in range(count):
        target.latitudes[place + i] = source.latitudes[begin + i]
    for i in range(count):
        target.longitudes[place + i] = source.longitudes[begin + i]
    for i in range(count):
        target.flags[place + i] = source.flags[begin + i]
    for i in range(count):
        target.measures_high[place + i] = source.measures_high[begin + i]


@compiled
def drop_old(h: History, slot: int) -> None:
    """Remove the rows of this subject that are no part of its history any more."""
    n = h.subjects[slot, LENGTH]
    h.subjects[slot, SWEPT] = h.subjects[slot, NEWEST]
    if n == 0:
        return
    subject = segment(h, slot)
    old = max(n - MAX_ROWS, 0)
    while age(subject, old) >= KEEP_MS:
        old += 1
    if old > 0:
        copy_rows(subject, old, subject, 0, n - old)
        sums = h.subjects[slot]
        sums[LENGTH] = n - old
        # All of them had left the subject's windows before.
        for k in range(LONG):
            sums[window(k) + ROW] -= old
        sums[NEWEST_HIGH] = max(sums[NEWEST_HIGH] - old, -1)
