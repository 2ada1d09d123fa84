"""Running sums over a card's long windows: what an event that comes in order adds to, and takes away from, what was known.

All sums are integers, so that adding and taking away is exact: the results are those of walking back through the history, to the
bit. An event that comes late is answered by that walk (``features.history``), and the sums are made anew for the next one.

A card's running sums are a row of ``History.sums``, int64 [SUMS]; the amounts of its longest window are held in
ascending order by ``Segment.order`` (rows of the segment), so that their median is a look-up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.card_state import (
    FLAG_BITS,
    LONG,
    NEWEST_HIGH,
    ORDERED,
    ORDINARY,
    ORDINARY_TOTAL,
    ROW,
    SHORT,
    VALID,
    Segment,
    window,
)
from features.compiled import compiled
from features.windows import LENGTHS, MAX_ROWS

_LONG_MS = np.array(LENGTHS[SHORT:], dtype=np.int64)
TOTAL, LOW, XX, XY, YY, LANES, HIGHEST = range(1, 8)

SPLIT = 20
BELOW = (1 << SPLIT) - 1
LANE_BITS = 12
LANE_MASK = (1 << LANE_BITS) - 1
_FLAG_NEWEST, _FLAG_HIGH = 1, 32


@compiled
def lanes_of(flags: int) -> int:
    """The first five flags of ``features.history``, each in a lane of twelve bits: sums of them count five flags at once."""
    lanes: int = flags & 1
    for bit in range(1, 5):
        lanes |= (flags & 1 << bit) << (LANE_BITS - 1) * bit
    return lanes


@compiled
def _add(s: NDArray[np.int64], at: int, amount: int, flags: int, sign: int) -> None:
    x, y = amount >> SPLIT, amount & BELOW
    s[at + TOTAL] += sign * amount
    s[at + LOW] += sign * y
    s[at + XX] += sign * x * x
    s[at + XY] += sign * x * y
    s[at + YY] += sign * y * y
    s[at + LANES] += sign * lanes_of(flags)


@compiled
def begin(s: NDArray[np.int64], card: Segment, rows: int) -> None:
    """Make the sums anew, as of the card's newest row of ``rows``, the rows before the event that comes."""
    s[:] = 0
    s[VALID] = 1
    s[NEWEST_HIGH] = -1
    if rows == 0:
        return
    now = card.times[rows - 1] >> FLAG_BITS
    for k in range(LONG):
        at = window(k)
        first = rows - 1
        while first > max(rows - MAX_ROWS, 0) and card.times[first - 1] >> FLAG_BITS > now - _LONG_MS[k]:
            first -= 1
        s[at + ROW] = first
        for j in range(first, rows):
            _add(s, at, card.amounts[j], card.times[j], 1)
            s[at + HIGHEST] = max(s[at + HIGHEST], card.amounts[j])
    for j in range(s[window(LONG - 1) + ROW], rows):
        _put_in_order(s, card, j)
        if card.times[j] & _FLAG_HIGH:
            s[NEWEST_HIGH] = j


@compiled
def leave(s: NDArray[np.int64], card: Segment, last: int) -> None:
    """Take away the rows that are in no window of the event at row ``last`` any more."""
    now = card.times[last] >> FLAG_BITS
    for k in range(LONG):
        at = window(k)
        least = (now - _LONG_MS[k] + 1) << FLAG_BITS
        row = s[at + ROW]
        again = False
        while row < last and (card.times[row] < least or row <= last - MAX_ROWS):
            _add(s, at, card.amounts[row], card.times[row], -1)
            again |= card.amounts[row] == s[at + HIGHEST]
            if k == LONG - 1:
                _take_from_order(s, card, row)
            row += 1
        s[at + ROW] = row
        if again:
            s[at + HIGHEST] = _highest(card.amounts[row:last])
    if s[NEWEST_HIGH] < s[window(LONG - 1) + ROW]:
        s[NEWEST_HIGH] = -1


@compiled
def come(s: NDArray[np.int64], card: Segment, last: int) -> None:
    """Add the event at row ``last`` to all windows; its place in the order of amounts is taken by ``come_in_order``."""
    amount = card.amounts[last]
    for k in range(LONG):
        at = window(k)
        _add(s, at, amount, card.times[last], 1)
        s[at + HIGHEST] = max(s[at + HIGHEST], amount)


@compiled
def come_in_order(s: NDArray[np.int64], card: Segment, last: int) -> None:
    """Take the event's amount into the order, and note whether it is high."""
    _put_in_order(s, card, last)
    if card.times[last] & _FLAG_HIGH:
        s[NEWEST_HIGH] = last


@compiled
def no_longer_newest(s: NDArray[np.int64], row: int) -> None:
    """``row`` lost its flag NEWEST: the windows that hold it count one terminal less."""
    for k in range(LONG):
        at = window(k)
        if row >= s[at + ROW]:
            s[at + LANES] -= _FLAG_NEWEST


@compiled
def medians(s: NDArray[np.int64], card: Segment) -> tuple[int, int]:
    """The two middle amounts of the order, which must hold one."""
    n = s[ORDERED]
    return card.amounts[card.order[(n - 1) // 2]], card.amounts[card.order[n // 2]]


@compiled
def ordinary(s: NDArray[np.int64], card: Segment, limit: int) -> None:
    """Let ORDINARY and ORDINARY_TOTAL be those of the amounts up to ``limit``: from one event to the next few cross it."""
    n, total = s[ORDINARY], s[ORDINARY_TOTAL]
    while n < s[ORDERED] and card.amounts[card.order[n]] <= limit:
        total += card.amounts[card.order[n]]
        n += 1
    while n > 0 and card.amounts[card.order[n - 1]] > limit:
        n -= 1
        total -= card.amounts[card.order[n]]
    s[ORDINARY], s[ORDINARY_TOTAL] = n, total


@compiled
def _place(s: NDArray[np.int64], card: Segment, amount: int, row: int) -> int:
    """Where an amount of a row is in the order, or would be: equal amounts stand in the order of their rows."""
    low, high = 0, s[ORDERED]
    while low < high:
        middle = (low + high) // 2
        there = np.int64(card.order[middle])
        other = card.amounts[there]
        if other < amount or (other == amount and there < row):
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _put_in_order(s: NDArray[np.int64], card: Segment, row: int) -> None:
    amount = card.amounts[row]
    at = _place(s, card, amount, row)
    for j in range(s[ORDERED], at, -1):
        card.order[j] = card.order[j - 1]
    card.order[at] = row
    s[ORDERED] += 1
    if at < s[ORDINARY]:
        s[ORDINARY] += 1
        s[ORDINARY_TOTAL] += amount


@compiled
def _take_from_order(s: NDArray[np.int64], card: Segment, row: int) -> None:
    amount = card.amounts[row]
    at = _place(s, card, amount, row)
    s[ORDERED] -= 1
    for j in range(at, s[ORDERED]):
        card.order[j] = card.order[j + 1]
    if at < s[ORDINARY]:
        s[ORDINARY] -= 1
        s[ORDINARY_TOTAL] -= amount


@compiled
def _highest(amounts: NDArray[np.int64]) -> int:
    found = np.int64(0)
    for j in range(amounts.shape[0]):
        found = max(found, amounts[j])
    return int(found)
