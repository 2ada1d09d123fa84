"""The compiled heart of the transform: put an event into its card's history, and walk back from it.

All of it is strictly as of the event: only rows at or before its place in event time count. Ties stay in the order of their
arrival. A row's ``ratio`` and its HIGH flag are those of its arrival: an event that comes late changes the windows of later
events, never what was said of earlier ones.

The functions here carry no cache of their own; they are compiled into ``features.generated``, whose text changes with theirs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.card_state import History, drop_old
from features.formulas import HIGH, SHORTEST_S, robust_mean
from features.geo import haversine_km
from features.windows import DAY_MS, HOUR_MS, KEEP_MS, LENGTHS, LONGEST_MS, MAX_ROWS

#: Flags of a row. NEWEST: no later row has its terminal; FIRST: no earlier one within LONGEST_MS has.
NEWEST, FIRST, NIGHT, ONLINE, CONTACTLESS, HIGH_AMOUNT = 1, 2, 4, 8, 16, 32
_CONTACTLESS_MODE, _ONLINE_MODE = 1, 4
#: The first five flags are counted at once, in five lanes of twelve bits: MAX_ROWS fits into each.
LANE_BITS = 12
LANE_MASK = (1 << LANE_BITS) - 1
_LANES = np.array([sum(1 << (LANE_BITS * bit) for bit in range(5) if flags >> bit & 1) for flags in range(64)], dtype=np.int64)
_LENGTHS = np.array(LENGTHS, dtype=np.int64)
_WEEK = LENGTHS.index(7 * DAY_MS)
#: 2^-(age in days) by age in whole hours, for a week.
_DECAY = np.exp2(-np.arange(7 * 24, dtype=np.float64) / 24.0)
_STEPS = 24
_SPLIT = 20
_EVERYTHING = 2**63 - 1
_BELOW = (1 << _SPLIT) - 1


class Rows(NamedTuple):
    """The columns of a batch as the compiled loop takes them, see ``features.columns.Columns``."""

    time: NDArray[np.int64]
    amount: NDArray[np.int64]
    terminal: NDArray[np.int32]
    latitude: NDArray[np.float32]
    longitude: NDArray[np.float32]
    entry_mode: NDArray[np.int8]
    pin_used: NDArray[np.int8]


class Walk(NamedTuple):
    """What one walk finds: by window (``features.windows``), and the rest in ``rest``, at the places named below."""

    count: NDArray[np.int64]  # type: ignore[assignment]  # tuple has a method of this name; nobody calls it here
    total: NDArray[np.int64]
    highest: NDArray[np.int64]
    lanes: NDArray[np.int64]
    spread: NDArray[np.float64]
    others: NDArray[np.float64]
    rest: NDArray[np.float64]


SINCE_LAST, KM, SPEED, REPEAT, DECAYED_COUNT, DECAYED_TOTAL, MEDIAN, RATIO, RATIO_3D, RATIO_14D, HIGH_14D, SINCE_HIGH = range(12)


@njit
def new_walk() -> Walk:
    """Room for one walk."""
    n = _LENGTHS.shape[0]
    return Walk(
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.float64),
        np.zeros(n, np.float64),
        np.zeros(12, np.float64),
    )


@njit(forceinline=True)
def insert(h: History, slot: int, rows: Rows, i: int, one: NDArray[np.int64]) -> int:
    """Put row ``i`` into its card's segment at its event time, after ties; return its pool row. ``one``: int64 [1], scratch."""
    if h.length[slot] == h.capacity[slot]:
        one[0] = slot
        drop_old(h, one)
    begin = h.start[slot]
    end = begin + h.length[slot]
    place: int = end
    time = rows.time[i]
    while place > begin and h.time[place - 1] > time:
        h.time[place] = h.time[place - 1]
        h.amount[place] = h.amount[place - 1]
        h.terminal[place] = h.terminal[place - 1]
        h.latitude[place] = h.latitude[place - 1]
        h.longitude[place] = h.longitude[place - 1]
        h.ratio[place] = h.ratio[place - 1]
        h.flags[place] = h.flags[place - 1]
        place -= 1
    h.time[place] = time
    h.amount[place] = rows.amount[i]
    h.terminal[place] = rows.terminal[i]
    h.latitude[place] = rows.latitude[i]
    h.longitude[place] = rows.longitude[i]
    h.ratio[place] = 0.0
    h.length[slot] += 1
    flags = 0
    if time % DAY_MS < 6 * HOUR_MS:
        flags |= NIGHT
    if rows.entry_mode[i] == _ONLINE_MODE:
        flags |= ONLINE
    if rows.entry_mode[i] == _CONTACTLESS_MODE:
        flags |= CONTACTLESS
    h.flags[place] = flags | _mark_terminal(h, first_row(h, slot), place, end)
    return place


@njit(forceinline=True)
def first_row(h: History, slot: int) -> int:
    """The first row of a card that its number of rows leaves in its history."""
    row: int = max(h.start[slot], h.start[slot] + h.length[slot] - MAX_ROWS)
    return row


@njit(forceinline=True)
def _mark_terminal(h: History, lo: int, place: int, end: int) -> int:
    """FIRST and NEWEST of the new row at ``place``; ``end`` is the card's last row. Rows with the same terminal change theirs."""
    terminal, time = h.terminal[place], h.time[place]
    if place < lo or time <= h.time[end] - KEEP_MS:
        return NEWEST | FIRST  # too late to be part of the history: whether its neighbours are still held must not matter
    later = place + 1
    while later <= end and h.terminal[later] != terminal:
        later += 1
    if later <= end and time > h.time[later] - LONGEST_MS:
        h.flags[later] &= 255 - FIRST
    low = max(time - LONGEST_MS, h.time[end] - KEEP_MS)
    earlier = place - 1
    while earlier >= lo and h.time[earlier] > low and h.terminal[earlier] != terminal:
        earlier -= 1
    found = earlier >= lo and h.time[earlier] > low
    if later <= end:
        return 0 if found else FIRST
    if found:
        h.flags[earlier] &= 255 - NEWEST
        return NEWEST
    return NEWEST | FIRST


@njit(forceinline=True)
def walk(h: History, slot: int, last: int, w: Walk) -> None:
    """Fill ``w`` with what the card's history says of the event at pool row ``last``; set that row's ratio and HIGH flag."""
    end = h.start[slot] + h.length[slot] - 1
    lo = min(first_row(h, slot), last)
    # Only for late events does this reach into their windows: what lies before may or may not be held still.
    oldest = h.time[end] - KEEP_MS
    now = h.time[last]
    j = last  # the event itself is in each of its windows, however late it is
    for k in range(_LENGTHS.shape[0]):
        j = _back(h.time, lo, j, max(now - _LENGTHS[k], oldest))
        w.count[k] = last - j + 1
    first = j
    _sum_up(h, last, w)
    if last < end:
        _count_terminals(h, last, w)
    _of_the_last(h, first, last, w)
    week = last + 1 - w.count[_WEEK]
    _decayed(h.time[week : last + 1], h.amount[week : last + 1], w)
    _robust(h, slot, first, last, w)
    _high(h, first, last, w)


@njit
def _back(times: NDArray[np.int64], lo: int, j: int, low: int) -> int:
    """The first row of ``[lo, j]`` with a time above ``low``, where the times ascend and row ``j`` counts in any case."""
    step = 1
    while j - step >= lo and times[j - step] > low:
        j -= step
        step *= 2
    # Row j is in; the first one lies in (j - step, j].
    bottom = max(j - step, lo - 1)
    while j - bottom > 1:
        middle = (j + bottom) // 2
        if times[middle] > low:
            j = middle
        else:
            bottom = middle
    return j


@njit(forceinline=True)
def _sum_up(h: History, last: int, w: Walk) -> None:
    """Sums by window. They are integers, so that it does not matter how a processor groups them.

    A square of an amount can need 74 bits: amounts are split at 20 bits, a = 2^20 x + y, and x^2, x y and y^2 are summed apart.
    """
    total = lanes = low = xx = xy = yy = np.int64(0)
    highest = np.int64(0)
    stop = last + 1
    mine = h.amount[last]
    my_x, my_y = mine >> _SPLIT, mine & _BELOW
    for k in range(w.count.shape[0]):
        begin = last + 1 - w.count[k]
        if begin < stop:
            amounts = h.amount[begin:stop]
            flags = h.flags[begin:stop]
            most = np.int64(0)
            for j in range(amounts.shape[0]):
                total += amounts[j]
                most = max(most, amounts[j])
            highest = np.int64(max(highest, most))
            if most <= _BELOW:
                for j in range(amounts.shape[0]):
                    y = amounts[j] & _BELOW
                    yy += y * y
                    low += y
            else:
                for j in range(amounts.shape[0]):
                    x, y = amounts[j] >> _SPLIT, amounts[j] & _BELOW
                    low += y
                    xx += x * x
                    xy += x * y
                    yy += y * y
            for j in range(flags.shape[0]):
                lanes += _LANES[flags[j]]
            stop = begin
        n = w.count[k]
        high = (total - low) >> _SPLIT
        w.total[k], w.highest[k], w.lanes[k] = total, highest, lanes
        w.spread[k] = spread(n, high, low, xx, xy, yy)
        w.others[k] = spread(n - 1, high - my_x, low - my_y, xx - my_x * my_x, xy - my_x * my_y, yy - my_y * my_y)


@njit
def spread(n: int, high: int, low: int, xx: int, xy: int, yy: int) -> float:
    """``n * sum(a^2) - sum(a)^2`` of n <= 2,048 amounts below 2^37, from the sums of their parts.

    The three differences fit into 64 bits each. They are added in 128 bits; upper and lower half are converted to float64 apart.
    """
    a, b, c = n * xx - high * high, n * xy - high * low, n * yy - low * low
    if a == 0 and b == 0:
        return float(c)
    # 2^40 a + 2^21 b + c, in two's complement.
    one = np.uint64(a) << np.uint64(2 * _SPLIT)
    two = np.uint64(b) << np.uint64(_SPLIT + 1)
    lower = one + two
    upper = (a >> (64 - 2 * _SPLIT)) + (b >> (63 - _SPLIT)) + (1 if lower < one else 0)
    lowest = lower + np.uint64(c)
    upper += 1 if lowest < lower else 0
    return float(upper) * 18446744073709551616.0 + float(lowest)


@njit
def _count_terminals(h: History, last: int, w: Walk) -> None:
    """The lanes of NEWEST, anew: for a late event, rows behind it in time have taken that flag from rows that it may count."""
    j = last
    distinct = 0
    for k in range(w.count.shape[0]):
        stop = last - w.count[k]
        while j > stop:
            later = j + 1
            while later <= last and h.terminal[later] != h.terminal[j]:
                later += 1
            distinct += later > last
            j -= 1
        w.lanes[k] = (w.lanes[k] & ~LANE_MASK) | distinct


@njit(forceinline=True)
def _of_the_last(h: History, first: int, last: int, w: Walk) -> None:
    rest = w.rest
    now = h.time[last]
    rest[SINCE_LAST] = (now - h.time[last - 1]) / 1000.0 if last > first else -1.0
    rest[REPEAT] = 0.0 if h.flags[last] & FIRST else 1.0
    rest[KM] = rest[SPEED] = -1.0
    if math.isnan(h.latitude[last]) or math.isnan(h.longitude[last]):
        return
    for j in range(last - 1, first - 1, -1):
        if not (math.isnan(h.latitude[j]) or math.isnan(h.longitude[j])):
            km = haversine_km(
                np.float64(h.latitude[j]), np.float64(h.longitude[j]), np.float64(h.latitude[last]), np.float64(h.longitude[last])
            )
            rest[KM] = km
            rest[SPEED] = km / max((now - h.time[j]) / 1000.0, SHORTEST_S) * 3600.0
            return


@njit(forceinline=True)
def _decayed(times: NDArray[np.int64], amounts: NDArray[np.int64], w: Walk) -> None:
    """Over a week's rows, the event last; summed from the oldest on."""
    n = times.shape[0]
    now = times[n - 1]
    count = total = 0.0
    for j in range(n):
        weight = _DECAY[(now - times[j]) // HOUR_MS]
        count += weight
        total += weight * amounts[j]
    w.rest[DECAYED_COUNT], w.rest[DECAYED_TOTAL] = count, total


@njit(forceinline=True)
def _robust(h: History, slot: int, first: int, last: int, w: Walk) -> None:
    """Median and robust mean of the rows before ``last``; the ratio is rounded to float32, as it is kept."""
    n = last - first
    median = 0.0
    total = count = np.int64(0)
    if n > 0:
        low, high = medians(h.amount[first:last], h.guess[slot])
        h.guess[slot] = low
        median = (low + high) / 2.0
        limit = np.int64(HIGH * median)
        amounts = h.amount[first:last]
        for j in range(n):
            a = amounts[j]
            total += a if a <= limit else np.int64(0)
            count += a <= limit
    ratio = np.float32(h.amount[last] / robust_mean(total, count))
    h.ratio[last] = ratio
    if ratio > HIGH:
        h.flags[last] |= HIGH_AMOUNT
    w.rest[MEDIAN], w.rest[RATIO] = median, ratio


@njit(forceinline=True)
def _high(h: History, first: int, last: int, w: Walk) -> None:
    now = h.time[last]
    day_14 = _back(h.time, first, last, now - 14 * DAY_MS)
    day_3 = _back(h.time, day_14, last, now - 3 * DAY_MS)
    w.rest[RATIO_3D] = _largest(h.ratio[day_3:last])
    w.rest[RATIO_14D] = max(w.rest[RATIO_3D], _largest(h.ratio[day_14:day_3]))
    w.rest[HIGH_14D], _ = _count_high(h.flags[day_14:last])
    _, newest = _count_high(h.flags[first:last])
    w.rest[SINCE_HIGH] = (now - h.time[first + newest]) / DAY_MS if newest >= 0 else -1.0


@njit
def _largest(ratios: NDArray[np.float32]) -> float:
    found = np.float32(0.0)
    for j in range(ratios.shape[0]):
        found = max(found, ratios[j])
    return float(found)


@njit
def _count_high(flags: NDArray[np.uint8]) -> tuple[int, int]:
    """How many rows have the flag HIGH_AMOUNT, and the last one that has; -1 if none."""
    count, newest = 0, -1
    for j in range(flags.shape[0]):
        high = (flags[j] & HIGH_AMOUNT) != 0
        count += high
        newest = j if high else newest
    return count, newest


@njit
def medians(values: NDArray[np.int64], guess: np.int64) -> tuple[np.int64, np.int64]:
    """The two middle ones of ``values`` [n >= 1] (the same twice for an odd n), exactly.

    One pass counts what lies below ``guess`` and finds its neighbours; from one event of a card to the next the median moves by
    a rank at most, so two or three passes do. After _STEPS of them, sorting is cheaper.
    """
    n = values.shape[0]
    rank = (n - 1) // 2
    nothing, everything = np.int64(-1), np.int64(_EVERYTHING)
    x = np.int64(guess)
    for _ in range(_STEPS):
        below = equal = 0
        under, above = nothing, everything
        for j in range(n):
            a = values[j]
            below += a < x
            equal += a == x
            under = max(under, a if a < x else nothing)
            above = min(above, a if a > x else everything)
        if rank < below:
            x = under
        elif rank >= below + equal:
            x = above
        else:
            return x, above if n % 2 == 0 and rank + 1 >= below + equal else x
    ordered = np.sort(values)
    return ordered[rank], ordered[n // 2]
