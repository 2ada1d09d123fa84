"""The state of the transform: each card's recent transactions, in one pool of arrays.

A card owns a segment ``[start, start + capacity)`` of the pool, of which the first ``length`` rows are filled, oldest event
first. A segment that is too small is moved to the pool's end with more room; when half of the pool is holes, it is packed.

A card's history is its rows younger than ``KEEP_MS`` before its newest, and of these the ``MAX_ROWS`` newest. Other rows may
still lie in the segment, but nothing reads them (``features.history``): what a vector holds does not depend on when room was
made. So a card takes at most ``2 * MAX_ROWS`` rows, 33 bytes each, however often it pays.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.windows import KEEP_MS, MAX_ROWS

_FIRST_CAPACITY = 8


class History(NamedTuple):
    """Arrays by card slot (start, length, capacity, guess) and by pool row (the others).

    ``guess`` is where the search for a card's median begins; it changes the time that takes, never the answer. ``ratio`` is
    the row's ratio_to_robust_mean as of its arrival, ``flags`` are those of ``features.history``. Unknown places are NaN.
    """

    start: NDArray[np.int64]
    length: NDArray[np.int64]
    capacity: NDArray[np.int64]
    guess: NDArray[np.int64]
    time: NDArray[np.int64]
    amount: NDArray[np.int64]
    terminal: NDArray[np.int32]
    latitude: NDArray[np.float32]
    longitude: NDArray[np.float32]
    ratio: NDArray[np.float32]
    flags: NDArray[np.uint8]


#: What a card's rows are made of, with their types.
ROW: dict[str, Any] = {
    "time": np.int64,
    "amount": np.int64,
    "terminal": np.int32,
    "latitude": np.float32,
    "longitude": np.float32,
    "ratio": np.float32,
    "flags": np.uint8,
}
ROW_BYTES = sum(np.dtype(kind).itemsize for kind in ROW.values())


def _history(slots: int, rows: int) -> History:
    by_slot: list[Any] = [np.zeros(slots, dtype=np.int64) for _ in range(4)]
    return History(*by_slot, *(np.zeros(rows, dtype=kind) for kind in ROW.values()))


class CardState:
    """The histories of all cards of one partition."""

    def __init__(self) -> None:
        self._slot: dict[str, int] = {}
        self.history = _history(0, 0)
        self._used = 0
        #: Room for counting a batch's rows by slot; zeros in between.
        self._coming = np.zeros(0, dtype=np.int32)

    @property
    def cards(self) -> int:
        """How many cards there are."""
        return len(self._slot)

    @property
    def rows(self) -> int:
        """How many transactions are held."""
        return int(self.history.length.sum())

    @property
    def nbytes(self) -> int:
        """Bytes held by the arrays."""
        return sum(a.nbytes for a in self.history)

    def slots(self, cards: list[str]) -> NDArray[np.int64]:
        """The slot of each card, int64 [n]; new cards get the next ones."""
        slot = self._slot
        try:
            found = np.fromiter(map(slot.__getitem__, cards), dtype=np.int64, count=len(cards))
        except KeyError:
            for card in cards:
                slot.setdefault(card, len(slot))
            found = np.fromiter(map(slot.__getitem__, cards), dtype=np.int64, count=len(cards))
        h = self.history
        if len(slot) > h.start.shape[0]:
            size = max(len(slot), 2 * h.start.shape[0], 1024)
            self.history = h._replace(
                start=_grown(h.start, size),
                length=_grown(h.length, size),
                capacity=_grown(h.capacity, size),
                guess=_grown(h.guess, size),
            )
        return found

    def reserve(self, slots: NDArray[np.int64]) -> None:
        """Make room for one more row per entry of ``slots``, or as many as a card may keep."""
        if len(self._coming) < len(self.history.start):
            self._coming = np.zeros(len(self.history.start), dtype=np.int32)
        tight, wanted = np.empty(len(slots), dtype=np.int64), np.empty(len(slots), dtype=np.int64)
        n = _find_tight(self.history, slots, self._coming, tight, wanted)
        if n == 0:
            return
        rows = int(wanted[:n].sum())
        if self._used + rows > self.history.time.shape[0]:
            self._pack(max(2 * (int(self.history.capacity.sum()) + rows), 4096))
        self._used = _move(self.history, tight[:n], wanted[:n], self._used)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything, as arrays without holes: ``cards`` (ids as UTF-8, one after the other), ``card_ends`` [c], ``lengths`` [c],
        and the columns of ROW [rows]. Equal histories give equal arrays, whatever their batches were.
        """
        h = self.history
        ids = sorted(self._slot)
        slots = np.fromiter((self._slot[card] for card in ids), dtype=np.int64, count=len(ids))
        drop_old(h, slots)
        lengths = h.length[slots]
        rows = _rows(h.start[slots], lengths)
        data = [card.encode() for card in ids]
        return {
            "cards": np.frombuffer(b"".join(data), dtype=np.uint8),
            "card_ends": np.cumsum([len(d) for d in data], dtype=np.int64),
            "lengths": lengths,
            **{name: getattr(h, name)[rows] for name in ROW},
        }

    @classmethod
    def from_arrays(cls, *parts: dict[str, NDArray[Any]]) -> CardState:
        """The inverse of ``arrays``; several parts are merged by card. Raises ValueError where two hold the same card."""
        state = cls()
        ids = [card for part in parts for card in _ids(part["cards"], part["card_ends"])]
        if len(set(ids)) != len(ids):
            raise ValueError("two states hold the same card; merge states of different cards only")
        lengths = np.concatenate([part["lengths"] for part in parts]) if parts else np.zeros(0, dtype=np.int64)
        state.slots(ids)
        h, n = state.history, len(ids)
        h.start[:n] = np.cumsum(lengths) - lengths
        h.length[:n] = h.capacity[:n] = lengths
        state._used = int(lengths.sum())
        if parts:
            state.history = h._replace(**{name: np.concatenate([part[name] for part in parts]) for name in ROW})
        return state

    def _pack(self, size: int) -> None:
        """Copy the segments into a fresh pool of ``size`` rows, without holes."""
        h = self.history
        packed = _history(0, size)._replace(start=h.start.copy(), length=h.length, capacity=h.capacity, guess=h.guess)
        self._used = _copy_segments(h, packed)
        self.history = packed


def _grown(array: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    bigger = np.zeros(size, dtype=array.dtype)
    bigger[: array.shape[0]] = array
    return bigger


def _rows(start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of all rows of segments, one after the other."""
    ends = np.cumsum(length)
    rows: NDArray[np.int64] = np.repeat(start - (ends - length), length)
    return rows + np.arange(len(rows))


def _ids(data: NDArray[np.uint8], ends: NDArray[np.int64]) -> Iterable[str]:
    text, begin = data.tobytes(), 0
    for end in ends.tolist():
        yield text[begin:end].decode()
        begin = end


@njit(cache=True)
def shift(source: History, begin: int, target: History, place: int, count: int) -> None:
    """Copy ``count`` rows; front to back, so that a move to lower rows of the same pool is safe."""
    for i in range(count):
        target.time[place + i] = source.time[begin + i]
        target.amount[place + i] = source.amount[begin + i]
        target.terminal[place + i] = source.terminal[begin + i]
        target.latitude[place + i] = source.latitude[begin + i]
        target.longitude[place + i] = source.longitude[begin + i]
        target.ratio[place + i] = source.ratio[begin + i]
        target.flags[place + i] = source.flags[begin + i]


@njit(cache=True)
def drop_old(h: History, slots: NDArray[np.int64]) -> None:
    """Remove the rows of these cards that are no part of their history any more."""
    for slot in slots:
        begin, n = h.start[slot], h.length[slot]
        if n == 0:
            continue
        horizon = h.time[begin + n - 1] - KEEP_MS
        old = max(n - MAX_ROWS, 0)
        while h.time[begin + old] <= horizon:
            old += 1
        if old > 0:
            shift(h, begin + old, h, begin, n - old)
            h.length[slot] = n - old


@njit(cache=True)
def _find_tight(
    h: History, slots: NDArray[np.int64], coming: NDArray[np.int32], tight: NDArray[np.int64], wanted: NDArray[np.int64]
) -> int:
    """Write the slots whose segments are too small for the batch, and the capacities they need; return how many they are.

    Rows that left a card's history are dropped first. A segment is left as it is only where that frees an eighth of it: a
    card that has as many rows come as leave would have them dropped, and the rest moved, at each event.
    """
    for slot in slots:
        coming[slot] += 1
    found = 0
    one = np.zeros(1, np.int64)
    for slot in slots:
        more, coming[slot] = coming[slot], 0
        if more == 0 or h.capacity[slot] >= min(h.length[slot] + more, 2 * MAX_ROWS):
            continue
        one[0] = slot
        drop_old(h, one)
        need = h.length[slot] + more
        if h.capacity[slot] >= min(need + need // 8, 2 * MAX_ROWS):
            continue
        tight[found] = slot
        wanted[found] = min(max(need + need // 4, _FIRST_CAPACITY), 2 * MAX_ROWS)
        found += 1
    return found


@njit(cache=True)
def _move(h: History, slots: NDArray[np.int64], wanted: NDArray[np.int64], used: int) -> int:
    """Move the segments of ``slots`` to the end of the pool with ``wanted`` rows each; return the rows in use."""
    for k in range(slots.shape[0]):
        slot = slots[k]
        shift(h, h.start[slot], h, used, h.length[slot])
        h.start[slot] = used
        h.capacity[slot] = wanted[k]
        used += wanted[k]
    return used


@njit(cache=True)
def _copy_segments(source: History, target: History) -> int:
    used = 0
    for slot in range(source.start.shape[0]):
        shift(source, source.start[slot], target, used, source.length[slot])
        target.start[slot] = used
        used += source.capacity[slot]
    return used
