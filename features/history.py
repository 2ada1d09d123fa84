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
from numpy.typing import NDArray

from features import running
from features.card_state import (
    CAPACITY,
    FLAG_BITS,
    GUESS,
    LENGTH,
    LONG,
    NEWEST_HIGH,
    ORDINARY,
    ORDINARY_TOTAL,
    ROW,
    SHORT,
    VALID,
    History,
    Segment,
    drop_old,
    segment,
    shift,
    window,
)
from features.compiled import compiled
from features.formulas import HIGH, SHORTEST_S, robust_mean
from features.geo import haversine_km
from features.running import (
    BELOW,
    LANE_MASK,
    SPLIT,
    begin,
    come,
    come_in_order,
    lanes_of,
    leave,
    no_longer_newest,
    ordinary,
)
from features.windows import DAY_MS, HOUR_MS, KEEP_MS, LENGTHS, LONGEST_MS, MAX_ROWS

#: Flags of a row. NEWEST: no later row has its terminal; FIRST: no earlier one within LONGEST_MS has.
NEWEST, FIRST, NIGHT, ONLINE, CONTACTLESS, HIGH_AMOUNT = 1, 2, 4, 8, 16, 32
_CONTACTLESS_MODE, _ONLINE_MODE = 1, 4
_LENGTHS = np.array(LENGTHS, dtype=np.int64)
_WEEK = LENGTHS.index(7 * DAY_MS)
#: 2^-(age in days) by age in whole hours, for a week.
#: Not by numpy, whose last bit depends on the processor.
_DECAY = np.array([2.0 ** -(hours / 24.0) for hours in range(7 * 24)], dtype=np.float64)
_STEPS = 8
_EVERYTHING = 2**63 - 1


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

    counts: NDArray[np.int64]
    total: NDArray[np.int64]
    highest: NDArray[np.int64]
    lanes: NDArray[np.int64]
    spread: NDArray[np.float64]
    others: NDArray[np.float64]
    rest: NDArray[np.float64]


SINCE_LAST, KM, SPEED, REPEAT, DECAYED_COUNT, DECAYED_TOTAL, MEDIAN, RATIO, RATIO_3D, RATIO_14D, HIGH_14D, SINCE_HIGH = range(12)


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


@compiled
def insert(h: History, slot: int, rows: Rows, i: int) -> int:
    """Put row ``i`` into its card's segment at its event time, after ties; return its place there."""
    if h.cards[slot, LENGTH] == h.cards[slot, CAPACITY]:
        drop_old(h, slot)
    card = segment(h, slot)
    end = h.cards[slot, LENGTH]
    h.cards[slot, LENGTH] = end + 1
    place: int = end
    time = rows.time[i]
    after = (time + 1) << FLAG_BITS
    while place > 0 and card.times[place - 1] >= after:
        shift(card, place - 1, card, place, 1)
        place -= 1
    sums = h.sums[slot]
    if place < end:
        sums[VALID] = 0
    elif not sums[VALID]:
        begin(sums, card, end)
    flags = 0
    if time % DAY_MS < 6 * HOUR_MS:
        flags |= NIGHT
    if rows.entry_mode[i] == _ONLINE_MODE:
        flags |= ONLINE
    if rows.entry_mode[i] == _CONTACTLESS_MODE:
        flags |= CONTACTLESS
    card.times[place] = time << FLAG_BITS | flags
    card.amounts[place] = rows.amount[i]
    card.terminals[place] = rows.terminal[i]
    card.ratios[place] = 0.0
    card.latitudes[place] = rows.latitude[i]
    card.longitudes[place] = rows.longitude[i]
    card.times[place] |= _mark_terminal(card, place, end, sums)
    return place


@compiled
def _mark_terminal(card: Segment, place: int, end: int, sums: NDArray[np.int64]) -> int:
    """FIRST and NEWEST of the new row at ``place``; ``end`` is the card's last row. Rows with the same terminal change theirs."""
    terminal, time = card.terminals[place], card.times[place] >> FLAG_BITS
    lo = max(0, end + 1 - MAX_ROWS)
    newest = card.times[end] >> FLAG_BITS
    if place < lo or time <= newest - KEEP_MS:
        return NEWEST | FIRST  # too late to be part of the history: whether its neighbours are still held must not matter
    later = place + 1
    while later <= end and card.terminals[later] != terminal:
        later += 1
    if later <= end and time > (card.times[later] >> FLAG_BITS) - LONGEST_MS:
        card.times[later] &= ~FIRST
    before = card.terminals[lo:place]
    earlier = np.int64(-1)
    for j in range(before.shape[0]):
        earlier = max(earlier, np.int64(j) if before[j] == terminal else np.int64(-1))
    earlier += lo
    low = max(time - LONGEST_MS, newest - KEEP_MS)
    found = earlier >= lo and card.times[earlier] >> FLAG_BITS > low
    if later <= end:
        return 0 if found else FIRST
    if found:
        card.times[earlier] &= ~NEWEST
        if sums[VALID]:
            no_longer_newest(sums, earlier)
        return NEWEST
    return NEWEST | FIRST


@compiled
def walk(h: History, slot: int, last: int, w: Walk) -> None:
    """Fill ``w`` with what the card's history says of the event at its row ``last``; set that row's ratio and HIGH flag."""
    if h.sums[slot, VALID]:
        _go_on(h, slot, last, w)
    else:
        _walk_back(h, slot, last, w)


@compiled
def _go_on(h: History, slot: int, last: int, w: Walk) -> None:
    """For an event in order: by the running sums, and a look at its last day."""
    card, sums = segment(h, slot), h.sums[slot]
    leave(sums, card, last)
    first = sums[window(LONG - 1) + ROW]
    if last > first:
        low, high = running.medians(sums, card)
        median = (low + high) / 2.0
        ordinary(sums, card, np.int64(HIGH * median))
        _set_ratio(card, last, median, sums[ORDINARY_TOTAL], sums[ORDINARY], w)
    else:
        _set_ratio(card, last, 0.0, 0, 0, w)
    _sum_last_day(card, max(sums[window(0) + ROW], 0), last, w)
    come(sums, card, last)
    amount = card.amounts[last]
    my_x, my_y = amount >> SPLIT, amount & BELOW
    for k in range(LONG):
        s = sums[window(k) : window(k + 1)]
        n = last - s[ROW] + 1
        high = (s[running.TOTAL] - s[running.LOW]) >> SPLIT
        low = s[running.LOW]
        xx, xy, yy = s[running.XX], s[running.XY], s[running.YY]
        at = SHORT + k
        w.counts[at], w.total[at], w.highest[at] = n, s[running.TOTAL], s[running.HIGHEST]
        w.lanes[at] = s[running.LANES]
        w.spread[at] = spread(n, high, low, xx, xy, yy)
        w.others[at] = spread(n - 1, high - my_x, low - my_y, xx - my_x * my_x, xy - my_x * my_y, yy - my_y * my_y)
    _of_the_last(card, first, last, w)
    week = sums[window(0) + ROW]
    _decayed(card.times[week : last + 1], card.amounts[week : last + 1], w)
    _high(card, first, last, sums[NEWEST_HIGH], w)
    come_in_order(sums, card, last)


@compiled
def _sum_last_day(card: Segment, lo: int, last: int, w: Walk) -> None:
    """The windows up to a day, row by row."""
    total = lanes = low = xx = xy = yy = highest = np.int64(0)
    now = card.times[last] >> FLAG_BITS
    amount = card.amounts[last]
    my_x, my_y = amount >> SPLIT, amount & BELOW
    j = last
    for k in range(SHORT):
        least = (now - _LENGTHS[k] + 1) << FLAG_BITS
        before = j
        while j >= lo and card.times[j] >= least:
            a = card.amounts[j]
            x, y = a >> SPLIT, a & BELOW
            total += a
            low += y
            xx += x * x
            xy += x * y
            yy += y * y
            highest = np.int64(max(highest, a))
            lanes += lanes_of(card.times[j])
            j -= 1
        n = last - j
        w.counts[k], w.total[k], w.highest[k], w.lanes[k] = n, total, highest, lanes
        if k > 0 and j == before:
            w.spread[k], w.others[k] = w.spread[k - 1], w.others[k - 1]
            continue
        high = (total - low) >> SPLIT
        w.spread[k] = spread(n, high, low, xx, xy, yy)
        w.others[k] = spread(n - 1, high - my_x, low - my_y, xx - my_x * my_x, xy - my_x * my_y, yy - my_y * my_y)


@compiled
def _walk_back(h: History, slot: int, last: int, w: Walk) -> None:
    """For an event that comes late: look at every row of its windows."""
    card = segment(h, slot)
    n = h.cards[slot, LENGTH]
    lo = min(max(n - MAX_ROWS, 0), last)
    # Only for late events does this reach into their windows: what lies before may or may not be held still.
    oldest = (card.times[n - 1] >> FLAG_BITS) - KEEP_MS
    now = card.times[last] >> FLAG_BITS
    j = last  # the event itself is in each of its windows, however late it is
    for k in range(_LENGTHS.shape[0]):
        j = _back(card.times, lo, j, max(now - _LENGTHS[k], oldest))
        w.counts[k] = last - j + 1
    _sum_up(card, last, w)
    if last < n - 1:
        _count_terminals(card, last, w)
    _of_the_last(card, j, last, w)
    week = last + 1 - w.counts[_WEEK]
    _decayed(card.times[week : last + 1], card.amounts[week : last + 1], w)
    _robust(h, slot, card, j, last, w)
    _, newest = _count_high(card.times[j:last])
    _high(card, j, last, newest + j if newest >= 0 else -1, w)


@compiled
def _back(times: NDArray[np.int64], lo: int, j: int, low: int) -> int:
    """The first row of ``[lo, j]`` with a time above ``low``, where the times ascend and row ``j`` counts in any case."""
    least = (low + 1) << FLAG_BITS
    step = 1
    while j - step >= lo and times[j - step] >= least:
        j -= step
        step *= 2
    # Row j is in; the first one lies in (j - step, j].
    bottom = max(j - step, lo - 1)
    while j - bottom > 1:
        middle = (j + bottom) // 2
        if times[middle] >= least:
            j = middle
        else:
            bottom = middle
    return j


@compiled
def _sum_up(card: Segment, last: int, w: Walk) -> None:
    """Sums by window. They are integers, so that it does not matter how a processor groups them.

    A square of an amount can need 74 bits: amounts are split at 20 bits, a = 2^20 x + y, and x^2, x y and y^2 are summed apart.
    """
    total = lanes = low = xx = xy = yy = np.int64(0)
    highest = np.int64(0)
    stop = last + 1
    mine = card.amounts[last]
    my_x, my_y = mine >> SPLIT, mine & BELOW
    for k in range(w.counts.shape[0]):
        n = w.counts[k]
        begin = last + 1 - n
        if begin == stop:
            w.total[k], w.highest[k], w.lanes[k] = total, highest, lanes
            w.spread[k], w.others[k] = w.spread[k - 1], w.others[k - 1]
            continue
        amounts = card.amounts[begin:stop]
        flags = card.times[begin:stop]
        most = np.int64(0)
        for j in range(amounts.shape[0]):
            total += amounts[j]
            most = max(most, amounts[j])
            lanes += lanes_of(flags[j])
        highest = np.int64(max(highest, most))
        if most <= BELOW:
            for j in range(amounts.shape[0]):
                y = amounts[j] & BELOW
                yy += y * y
                low += y
        else:
            for j in range(amounts.shape[0]):
                x, y = amounts[j] >> SPLIT, amounts[j] & BELOW
                low += y
                xx += x * x
                xy += x * y
                yy += y * y
        stop = begin
        high = (total - low) >> SPLIT
        w.total[k], w.highest[k], w.lanes[k] = total, highest, lanes
        w.spread[k] = spread(n, high, low, xx, xy, yy)
        w.others[k] = spread(n - 1, high - my_x, low - my_y, xx - my_x * my_x, xy - my_x * my_y, yy - my_y * my_y)


@compiled
def spread(n: int, high: int, low: int, xx: int, xy: int, yy: int) -> float:
    """``n * sum(a^2) - sum(a)^2`` of n <= 2,048 amounts below 2^37, from the sums of their parts.

    The three differences fit into 64 bits each. They are added in 128 bits; upper and lower half are converted to float64 apart.
    """
    a, b, c = n * xx - high * high, n * xy - high * low, n * yy - low * low
    if a == 0 and b == 0:
        return float(c)
    # 2^40 a + 2^21 b + c, in two's complement.
    one = np.uint64(a) << np.uint64(2 * SPLIT)
    two = np.uint64(b) << np.uint64(SPLIT + 1)
    lower = one + two
    upper = (a >> (64 - 2 * SPLIT)) + (b >> (63 - SPLIT)) + (1 if lower < one else 0)
    lowest = lower + np.uint64(c)
    upper += 1 if lowest < lower else 0
    return float(upper) * 18446744073709551616.0 + float(lowest)


@compiled
def _count_terminals(card: Segment, last: int, w: Walk) -> None:
    """The lanes of NEWEST, anew: for a late event, rows behind it in time have taken that flag from rows that it may count."""
    j = last
    distinct = 0
    for k in range(w.counts.shape[0]):
        stop = last - w.counts[k]
        while j > stop:
            later = j + 1
            while later <= last and card.terminals[later] != card.terminals[j]:
                later += 1
            distinct += later > last
            j -= 1
        w.lanes[k] = (w.lanes[k] & ~LANE_MASK) | distinct


@compiled
def _of_the_last(card: Segment, first: int, last: int, w: Walk) -> None:
    rest = w.rest
    now = card.times[last] >> FLAG_BITS
    rest[SINCE_LAST] = (now - (card.times[last - 1] >> FLAG_BITS)) / 1000.0 if last > first else -1.0
    rest[REPEAT] = 0.0 if card.times[last] & FIRST else 1.0
    rest[KM] = rest[SPEED] = -1.0
    latitude, longitude = np.float64(card.latitudes[last]), np.float64(card.longitudes[last])
    if math.isnan(latitude) or math.isnan(longitude):
        return
    for j in range(last - 1, first - 1, -1):
        if not (math.isnan(card.latitudes[j]) or math.isnan(card.longitudes[j])):
            km = haversine_km(np.float64(card.latitudes[j]), np.float64(card.longitudes[j]), latitude, longitude)
            rest[KM] = km
            rest[SPEED] = km / max((now - (card.times[j] >> FLAG_BITS)) / 1000.0, SHORTEST_S) * 3600.0
            return


@compiled
def _decayed(times: NDArray[np.int64], amounts: NDArray[np.int64], w: Walk) -> None:
    """Over a week's rows, the event last; summed from the oldest on."""
    n = times.shape[0]
    now = times[n - 1] >> FLAG_BITS
    count = total = 0.0
    for j in range(n):
        weight = _DECAY[(now - (times[j] >> FLAG_BITS)) // HOUR_MS]
        count += weight
        total += weight * amounts[j]
    w.rest[DECAYED_COUNT], w.rest[DECAYED_TOTAL] = count, total


@compiled
def _robust(h: History, slot: int, card: Segment, first: int, last: int, w: Walk) -> None:
    """Median and robust mean of the rows before ``last``; the ratio is rounded to float32, as it is kept."""
    n = last - first
    median = 0.0
    total = count = np.int64(0)
    if n > 0:
        amounts = card.amounts[first:last]
        low, high = medians(amounts, h.cards[slot, GUESS])
        h.cards[slot, GUESS] = low
        median = (low + high) / 2.0
        limit = np.int64(HIGH * median)
        for j in range(amounts.shape[0]):
            a = amounts[j]
            total += a if a <= limit else np.int64(0)
            count += a <= limit
    _set_ratio(card, last, median, total, count, w)


@compiled
def _set_ratio(card: Segment, last: int, median: float, total: int, count: int, w: Walk) -> None:
    ratio = np.float32(card.amounts[last] / robust_mean(total, count))
    card.ratios[last] = ratio
    if ratio > HIGH:
        card.times[last] |= HIGH_AMOUNT
    w.rest[MEDIAN], w.rest[RATIO] = median, ratio


@compiled
def _high(card: Segment, first: int, last: int, newest: int, w: Walk) -> None:
    """``newest``: the last row before the event whose amount is high, -1 if none."""
    now = card.times[last] >> FLAG_BITS
    day_14 = _back(card.times, first, last, now - 14 * DAY_MS)
    day_3 = _back(card.times, day_14, last, now - 3 * DAY_MS)
    w.rest[RATIO_3D] = _largest(card.ratios[day_3:last])
    w.rest[RATIO_14D] = max(w.rest[RATIO_3D], _largest(card.ratios[day_14:day_3]))
    w.rest[HIGH_14D] = _count_high(card.times[day_14:last])[0] if newest >= day_14 else 0
    w.rest[SINCE_HIGH] = (now - (card.times[newest] >> FLAG_BITS)) / DAY_MS if newest >= 0 else -1.0


@compiled
def _largest(ratios: NDArray[np.float32]) -> float:
    found = np.float32(0.0)
    for j in range(ratios.shape[0]):
        found = max(found, ratios[j])
    return float(found)


@compiled
def _count_high(times: NDArray[np.int64]) -> tuple[np.int64, np.int64]:
    """How many rows have the flag HIGH_AMOUNT, and the last one that has; -1 if none."""
    count, newest = np.int64(0), np.int64(-1)
    for j in range(times.shape[0]):
        high = (times[j] & HIGH_AMOUNT) != 0
        count += high
        newest = max(newest, np.int64(j) if high else np.int64(-1))
    return count, newest


@compiled
def medians(values: NDArray[np.int64], guess: np.int64) -> tuple[np.int64, np.int64]:
    """The two middle ones of ``values`` [n >= 1] (the same twice for an odd n), exactly.

    One pass counts what lies below ``guess`` and finds its neighbours; from one event of a card to the next the median moves by
    a rank at most, so two or three passes do. After _STEPS of them the range that is left is halved with each pass.
    """
    n = values.shape[0]
    rank = (n - 1) // 2
    lowest, highest = np.int64(0), np.int64(_EVERYTHING)
    x = np.int64(guess)
    steps = 0
    while True:
        below = equal = np.int64(0)
        under, above = np.int64(-1), np.int64(_EVERYTHING)
        for j in range(n):
            a = values[j]
            below += a < x
            equal += a == x
            under = max(under, a if a < x else np.int64(-1))
            above = min(above, a if a > x else np.int64(_EVERYTHING))
        if rank < below:
            highest = x = under
        elif rank >= below + equal:
            lowest = x = above
        else:
            return x, above if n % 2 == 0 and rank + 1 >= below + equal else x
        steps += 1
        if steps > _STEPS:
            x = lowest + (highest - lowest) // 2
