"""Terminal tiles: outcomes and frauds of a terminal by day, and the windows that are read from them.

A tiles array is int64 [TILE_WIDTH]: ``[last_day, n_0, f_0, n_1, f_1, ...]``. ``n_i`` and ``f_i`` count the outcomes and the
frauds among the transactions of day ``last_day - i``; a day is ``event_time_ms // 86_400_000`` (UTC) of the transaction. All
zeros: an unknown terminal.

The windows of a transaction on day ``e``, with labels up to ``delay`` days late, are the whole days
``e - ceil(delay) - w .. e - ceil(delay) - 1`` for w = 1, 7, 28. Every transaction of these days has its outcome before day
``e`` begins, so stream and batch read the same counts whenever in the day they ask; only labels later than the delay can still
change them.

How outcomes count:

- an outcome that is not late: ``n += 1``, and ``f += 1`` if it is fraud;
- a late outcome belongs to a transaction that was counted as genuine: fraud gives ``f += 1`` (never above n), genuine changes
  nothing;
- an outcome of a day more than 63 days before ``last_day`` is too old for any window and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import Outcome
from features.settings import DAY_MS

DAYS = 64
TILE_WIDTH = 1 + 2 * DAYS
#: The windows, in days, in the order of the vector's terminal features.
WINDOWS = (1, 7, 28)
_WINDOWS = np.array(WINDOWS, dtype=np.int64)

Tiles = NDArray[np.int64]


def empty() -> Tiles:
    """Tiles of an unknown terminal."""
    return np.zeros(TILE_WIDTH, dtype=np.int64)


def add(tiles: Tiles, event_time_ms: int, is_fraud: bool, late: bool = False) -> None:
    """Count one outcome, in place, by the rules above."""
    day = event_time_ms // DAY_MS
    last = int(tiles[0])
    if day > last:
        if late:
            return
        shift = day - last
        if last and shift < DAYS:
            tiles[1 + 2 * shift :] = tiles[1 : TILE_WIDTH - 2 * shift].copy()
            tiles[1 : 1 + 2 * shift] = 0
        else:
            tiles[1:] = 0
        tiles[0] = last = day
    back = last - day
    if back >= DAYS:
        return
    at = 1 + 2 * back
    if not late:
        tiles[at] += 1
        tiles[at + 1] += is_fraud
    elif is_fraud and tiles[at + 1] < tiles[at]:
        tiles[at + 1] += 1


@dataclass(slots=True)
class Terminal:
    """What is kept of one terminal: its tiles, and the newest outcome time in them (never going back)."""

    tiles: Tiles
    as_of_ms: int = 0


def update(state: dict[str, Terminal], outcomes: Iterable[Outcome]) -> set[str]:
    """Count outcomes into ``state``, in place; return the terminals that were touched."""
    touched = set()
    for outcome in outcomes:
        terminal = state.get(outcome.terminal_id)
        if terminal is None:
            terminal = state[outcome.terminal_id] = Terminal(empty())
        add(terminal.tiles, outcome.event_time_ms, outcome.is_fraud, outcome.late)
        terminal.as_of_ms = max(terminal.as_of_ms, outcome.outcome_time_ms)
        touched.add(outcome.terminal_id)
    return touched


def whole_days(delay_days: float) -> int:
    """The delay as the windows use it: rounded up to whole days."""
    return math.ceil(delay_days)


def read(tiles: Tiles, event_day: int, delay_days: float) -> NDArray[np.int64]:
    """Counts in the windows of a transaction on ``event_day``: int64 [3, 2], one row a window, columns (outcomes, frauds)."""
    days = np.array([event_day], dtype=np.int64)
    counts: NDArray[np.int64] = windows(tiles.reshape(1, -1), days, whole_days(delay_days))[0]
    return counts


@njit(cache=True)
def windows(tiles: NDArray[np.int64], event_day: NDArray[np.int64], delay: int) -> NDArray[np.int64]:
    """``read`` for many transactions: tiles int64 [n, TILE_WIDTH], days int64 [n], whole days of delay -> int64 [n, 3, 2]."""
    counts = np.zeros((tiles.shape[0], 3, 2), dtype=np.int64)
    for row in range(tiles.shape[0]):
        # Day e - delay - 1 lies this many places behind the newest tile; negative where the newest tile is older.
        first = tiles[row, 0] - (event_day[row] - delay - 1)
        for w in range(3):
            for back in range(max(first, 0), min(first + _WINDOWS[w], DAYS)):
                counts[row, w, 0] += tiles[row, 1 + 2 * back]
                counts[row, w, 1] += tiles[row, 2 + 2 * back]
    return counts
