"""The state of the transform: each card's recent transactions, in one pool of arrays.

A card owns a segment ``[start, start + capacity)`` of the pool, of which the first ``length`` rows are filled, oldest event
first. A segment that is full is moved to the pool's end with twice the room; when half of the pool is holes, it is packed.
Rows older than ``KEEP_MS`` before the card's newest are dropped when room is needed: no window reaches them any more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: The longest window (30 days) and one day of lateness.
KEEP_MS = 31 * 86_400_000
_FIRST_CAPACITY = 8


class History(NamedTuple):
    """Arrays by card slot (start, length, capacity) and by pool row (the others)."""

    start: NDArray[np.int64]
    length: NDArray[np.int64]
    capacity: NDArray[np.int64]
    time: NDArray[np.int64]
    amount: NDArray[np.int64]
    terminal: NDArray[np.int64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]


class CardState:
    """The histories of all cards of one partition."""

    def __init__(self) -> None:
        self._slot: dict[str, int] = {}
        zero = np.zeros(0, dtype=np.int64)
        nothing = np.zeros(0, dtype=np.float64)
        self.history = History(zero, zero, zero, zero, zero, zero, nothing, nothing)
        self._used = 0

    @property
    def cards(self) -> int:
        """How many cards there are."""
        return len(self._slot)

    @property
    def rows(self) -> int:
        """How many transactions are kept."""
        return int(self.history.length.sum())

    @property
    def nbytes(self) -> int:
        """Bytes held by the arrays."""
        return sum(a.nbytes for a in self.history)

    def slots(self, cards: list[str]) -> NDArray[np.int64]:
        """The slot of each card, int64 [n]; new cards get the next ones."""
        slot = self._slot
        found = np.empty(len(cards), dtype=np.int64)
        for i, card in enumerate(cards):
            number = slot.get(card)
            if number is None:
                number = slot[card] = len(slot)
            found[i] = number
        h = self.history
        if len(slot) > h.start.shape[0]:
            size = max(len(slot), 2 * h.start.shape[0], 1024)
            self.history = h._replace(
                start=_grown(h.start, size), length=_grown(h.length, size), capacity=_grown(h.capacity, size)
            )
        return found

    def reserve(self, slots: NDArray[np.int64]) -> None:
        """Make room for one more row per entry of ``slots``."""
        coming = np.bincount(slots, minlength=self.history.start.shape[0]).astype(np.int64)
        touched = np.flatnonzero(coming)
        tight = self._tight(touched, coming)
        if tight.size == 0:
            return
        _drop_old(self.history, tight)
        tight = self._tight(tight, coming)
        if tight.size == 0:
            return
        h = self.history
        wanted = np.maximum(np.maximum(2 * h.capacity[tight], h.length[tight] + coming[tight]), _FIRST_CAPACITY)
        if self._used + int(wanted.sum()) > h.time.shape[0]:
            self._pack(max(2 * int(h.capacity.sum() + wanted.sum()), 4096))
        self._used = _move(self.history, tight, wanted, self._used)

    def _tight(self, slots: NDArray[np.int64], coming: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of ``slots`` whose segment cannot take what is coming."""
        h = self.history
        return slots[h.length[slots] + coming[slots] > h.capacity[slots]]

    def _pack(self, size: int) -> None:
        """Copy the segments into a fresh pool of ``size`` rows, without holes."""
        h = self.history
        packed = History(
            start=h.start.copy(),
            length=h.length,
            capacity=h.capacity,
            time=np.zeros(size, dtype=np.int64),
            amount=np.zeros(size, dtype=np.int64),
            terminal=np.zeros(size, dtype=np.int64),
            latitude=np.zeros(size, dtype=np.float64),
            longitude=np.zeros(size, dtype=np.float64),
        )
        self._used = _copy_segments(h, packed)
        self.history = packed


def _grown(array: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    bigger = np.zeros(size, dtype=array.dtype)
    bigger[: array.shape[0]] = array
    return bigger


@njit(cache=True)
def _shift(source: History, begin: int, target: History, place: int, count: int) -> None:
    """Copy ``count`` rows; front to back, so that a move to lower rows of the same pool is safe."""
    for i in range(count):
        target.time[place + i] = source.time[begin + i]
        target.amount[place + i] = source.amount[begin + i]
        target.terminal[place + i] = source.terminal[begin + i]
        target.latitude[place + i] = source.latitude[begin + i]
        target.longitude[place + i] = source.longitude[begin + i]


@njit(cache=True)
def _drop_old(h: History, slots: NDArray[np.int64]) -> None:
    for slot in slots:
        begin, n = h.start[slot], h.length[slot]
        if n == 0:
            continue
        horizon = h.time[begin + n - 1] - KEEP_MS
        old = 0
        while old < n and h.time[begin + old] <= horizon:
            old += 1
        if old > 0:
            _shift(h, begin + old, h, begin, n - old)
            h.length[slot] = n - old


@njit(cache=True)
def _move(h: History, slots: NDArray[np.int64], wanted: NDArray[np.int64], used: int) -> int:
    """Move the segments of ``slots`` to the end of the pool with ``wanted`` rows each; return the rows in use."""
    for k in range(slots.shape[0]):
        slot = slots[k]
        _shift(h, h.start[slot], h, used, h.length[slot])
        h.start[slot] = used
        h.capacity[slot] = wanted[k]
        used += wanted[k]
    return used


@njit(cache=True)
def _copy_segments(source: History, target: History) -> int:
    used = 0
    for slot in range(source.start.shape[0]):
        _shift(source, source.start[slot], target, used, source.length[slot])
        target.start[slot] = used
        used += source.capacity[slot]
    return used
