"""The state of the transform: each card's recent transactions, in one pool of memory.

A card owns a segment of the pool with room for ``capacity`` rows, 34 bytes each, of which the first ``length`` are filled, oldest
event first. Within the segment its columns lie one after the other, so that a card's whole history is on one or two pages of
memory: that made the transform twice as fast as one array for each column of all cards (docs/decisions.md). A segment that is
too small is moved to the pool's end with more room; when half of the pool is holes, it is packed.

A card's history is its rows younger than ``KEEP_MS`` before its newest, and of these the ``MAX_ROWS`` newest. Other rows may
still lie in the segment, but nothing reads them (``features.history``): what a vector holds does not depend on when room was
made. So a card takes at most ``2 * MAX_ROWS`` rows, however often it pays.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled, compiled_cached
from features.windows import DAY_MS, KEEP_MS, LENGTHS, MAX_ROWS

_FIRST_CAPACITY = 8
#: Columns of ``History.cards``.
START, LENGTH, CAPACITY, GUESS = range(4)
#: Bytes of a row.
ROW_BYTES = 34
#: Capacities are multiples of this, so that a segment is whole words of 8 bytes.
_MULTIPLE = 4
#: The windows whose sums run (``features.running``); the shorter ones hold a few rows, which are looked at each time.
SHORT = sum(length <= DAY_MS for length in LENGTHS)
LONG = len(LENGTHS) - SHORT
#: Columns of a card's sums: whether they hold; how many amounts are in order, how many of them the robust mean takes and their
#: sum; the newest row with a high amount, -1 if none. Then for each long window its first row and seven sums.
VALID, ORDERED, ORDINARY, ORDINARY_TOTAL, NEWEST_HIGH = range(5)
_FIRST, _EACH = 5, 8
ROW = 0
SUMS = _FIRST + _EACH * LONG
#: ``Segment.times`` holds the time above this many bits of flags.
FLAG_BITS = 6
_FLAGS = (1 << FLAG_BITS) - 1


class History(NamedTuple):
    """``cards`` int64 [slots, 4]: where each card's segment starts in ``words``, how many rows are filled, for how many there is
    room, and where the search for its median begins (that changes the time it takes, never the answer). ``sums`` int64
    [slots, SUMS]: what ``features.running`` keeps. ``halves``, ``singles`` and ``quarters`` are ``words`` seen as other types.
    """

    cards: NDArray[np.int64]
    sums: NDArray[np.int64]
    words: NDArray[np.int64]
    halves: NDArray[np.int32]
    singles: NDArray[np.float32]
    quarters: NDArray[np.uint16]


class Segment(NamedTuple):
    """A card's rows, as views of the pool. ``times`` holds the time in the bits above FLAG_BITS, and the flags of
    ``features.history`` below. ``ratios``: ratio_to_robust_mean as of the row's arrival. Unknown places are NaN. ``order``: the
    rows of the longest window by amount, see ``features.running``.
    """

    times: NDArray[np.int64]
    amounts: NDArray[np.int64]
    terminals: NDArray[np.int32]
    ratios: NDArray[np.float32]
    latitudes: NDArray[np.float32]
    longitudes: NDArray[np.float32]
    order: NDArray[np.uint16]


#: What ``CardState.arrays`` writes of a row.
COLUMNS: dict[str, Any] = {
    "times": np.int64,
    "amounts": np.int64,
    "terminals": np.int32,
    "ratios": np.float32,
    "latitudes": np.float32,
    "longitudes": np.float32,
}


class CardState:
    """The histories of all cards of one partition."""

    def __init__(self) -> None:
        self._slot: dict[str, int] = {}
        self.history = _history(np.zeros((0, 4), dtype=np.int64), np.zeros((0, SUMS), dtype=np.int64), 0)
        #: Words of the pool that are taken.
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
        return int(self.history.cards[:, LENGTH].sum())

    @property
    def nbytes(self) -> int:
        """Bytes held by the arrays."""
        return self.history.cards.nbytes + self.history.sums.nbytes + self.history.words.nbytes

    def slots(self, cards: list[str]) -> NDArray[np.int64]:
        """The slot of each card, int64 [n]; new cards get the next ones."""
        slot = self._slot
        try:
            found = np.fromiter(map(slot.__getitem__, cards), dtype=np.int64, count=len(cards))
        except KeyError:
            for card in cards:
                slot.setdefault(card, len(slot))
            found = np.fromiter(map(slot.__getitem__, cards), dtype=np.int64, count=len(cards))
        have = len(self.history.cards)
        if len(slot) > have:
            size = max(len(slot), 2 * have, 1024)
            self.history = self.history._replace(cards=_grown(self.history.cards, size), sums=_grown(self.history.sums, size))
            self._coming = np.zeros(size, dtype=np.int32)
        return found

    def reserve(self, slots: NDArray[np.int64]) -> None:
        """Make room for one more row per entry of ``slots``, or as many as a card may keep."""
        tight, wanted = np.empty(len(slots), dtype=np.int64), np.empty(len(slots), dtype=np.int64)
        n = _find_tight(self.history, slots, self._coming, tight, wanted)
        if n == 0:
            return
        more = words_of(int(wanted[:n].sum()))
        if self._used + more > len(self.history.words):
            self._pack(max(2 * (words_of(int(self.history.cards[:, CAPACITY].sum())) + more), 16_384))
        self._used = _move(self.history, tight[:n], wanted[:n], self._used)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything, as arrays without holes: ``cards`` (ids as UTF-8, one after the other), ``card_ends`` [c], ``lengths`` [c],
        and the columns COLUMNS [rows]. Equal histories give equal arrays, whatever their batches were.
        """
        ids = sorted(self._slot)
        slots = np.fromiter((self._slot[card] for card in ids), dtype=np.int64, count=len(ids))
        return {**named(ids), **self.part(slots)}

    def part(self, slots: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The histories in these slots: ``lengths`` [len(slots)] and the columns COLUMNS [rows], as copies."""
        _drop_old_of(self.history, slots)
        lengths = self.history.cards[slots, LENGTH]
        columns = {name: np.empty(int(lengths.sum()), dtype=kind) for name, kind in COLUMNS.items()}
        _write_out(self.history, slots, Segment(**columns, order=np.zeros(0, dtype=np.uint16)))
        return {"lengths": lengths, **columns}

    def known(self, cards: Iterable[str]) -> NDArray[np.int64]:
        """The slots of those of ``cards`` that have one, int64."""
        found = (self._slot.get(card) for card in cards)
        return np.array([slot for slot in found if slot is not None], dtype=np.int64)

    def ids(self) -> list[str]:
        """The cards in the order of their slots."""
        return list(self._slot)

    @classmethod
    def from_arrays(cls, *parts: dict[str, NDArray[Any]]) -> CardState:
        """The inverse of ``arrays``; several parts are merged by card. Raises ValueError where two hold the same card."""
        state = cls()
        ids = [card for part in parts for card in _ids(part["cards"], part["card_ends"])]
        if len(set(ids)) != len(ids):
            raise ValueError("two states hold the same card; merge states of different cards only")
        if not ids:
            return state
        lengths = np.concatenate([part["lengths"] for part in parts])
        state.slots(ids)
        cards = state.history.cards
        room = -(-lengths // _MULTIPLE) * _MULTIPLE
        cards[: len(ids), START] = words_of(np.cumsum(room) - room)
        cards[: len(ids), LENGTH] = lengths
        cards[: len(ids), CAPACITY] = room
        state._used = words_of(int(room.sum()))
        state.history = _history(cards, state.history.sums, state._used)
        columns = {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}
        _read_in(state.history, len(ids), Segment(**columns, order=np.zeros(0, dtype=np.uint16)))
        return state

    def _pack(self, words: int) -> None:
        """Copy the segments into a fresh pool of ``words``, without holes."""
        packed = _history(self.history.cards.copy(), self.history.sums, words)
        self._used = _copy_segments(self.history, packed)
        self.history = packed


def named(ids: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Card ids as arrays: ``cards``, UTF-8, one after the other, and ``card_ends`` [c]."""
    data = [card.encode() for card in ids]
    return {
        "cards": np.frombuffer(b"".join(data), dtype=np.uint8),
        "card_ends": np.cumsum([len(d) for d in data], dtype=np.int64),
    }


@overload
def words_of(rows: int) -> int: ...
@overload
def words_of(rows: NDArray[np.int64]) -> NDArray[np.int64]: ...
def words_of(rows: int | NDArray[np.int64]) -> int | NDArray[np.int64]:
    """Words of 8 bytes that so many rows take; for multiples of _MULTIPLE."""
    return rows * ROW_BYTES // 8


_words_of = compiled(words_of)


def _history(cards: NDArray[np.int64], sums: NDArray[np.int64], n: int) -> History:
    words = np.zeros(n, dtype=np.int64)
    return History(cards, sums, words, words.view(np.int32), words.view(np.float32), words.view(np.uint16))


def _grown(array: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    bigger = np.zeros((rows, array.shape[1]), dtype=np.int64)
    bigger[: len(array)] = array
    return bigger


def _ids(data: NDArray[np.uint8], ends: NDArray[np.int64]) -> Iterable[str]:
    text, begin = data.tobytes(), 0
    for end in ends.tolist():
        yield text[begin:end].decode()
        begin = end


@compiled
def window(k: int) -> int:
    """Where the sums of long window ``k`` begin in a card's sums."""
    return _FIRST + _EACH * k


@compiled
def segment(h: History, slot: int) -> Segment:
    """The rows of a card, all ``capacity`` of them."""
    rows: Segment = _segment_at(h, h.cards[slot, START], h.cards[slot, CAPACITY])
    return rows


@compiled
def _segment_at(h: History, start: int, n: int) -> Segment:
    half = 2 * start
    return Segment(
        h.words[start : start + n],
        h.words[start + n : start + 2 * n],
        h.halves[half + 4 * n : half + 5 * n],
        h.singles[half + 5 * n : half + 6 * n],
        h.singles[half + 6 * n : half + 7 * n],
        h.singles[half + 7 * n : half + 8 * n],
        h.quarters[2 * half + 16 * n : 2 * half + 17 * n],
    )


@compiled
def shift(source: Segment, begin: int, target: Segment, place: int, count: int) -> None:
    """Copy ``count`` rows; front to back, so that a move to lower rows of the same segment is safe."""
    for i in range(count):
        target.times[place + i] = source.times[begin + i]
        target.amounts[place + i] = source.amounts[begin + i]
        target.terminals[place + i] = source.terminals[begin + i]
        target.ratios[place + i] = source.ratios[begin + i]
        target.latitudes[place + i] = source.latitudes[begin + i]
        target.longitudes[place + i] = source.longitudes[begin + i]


@compiled
def drop_old(h: History, slot: int) -> None:
    """Remove the rows of this card that are no part of its history any more."""
    n = h.cards[slot, LENGTH]
    if n == 0:
        return
    rows = segment(h, slot)
    horizon = (rows.times[n - 1] >> FLAG_BITS) - KEEP_MS
    old = max(n - MAX_ROWS, 0)
    while rows.times[old] >> FLAG_BITS <= horizon:
        old += 1
    if old > 0:
        shift(rows, old, rows, 0, n - old)
        h.cards[slot, LENGTH] = n - old
        sums = h.sums[slot]
        if sums[VALID]:
            # All of them had left the card's windows before.
            for k in range(LONG):
                sums[window(k) + ROW] -= old
            sums[NEWEST_HIGH] = max(sums[NEWEST_HIGH] - old, -1)
            for j in range(sums[ORDERED]):
                rows.order[j] -= np.uint16(old)


@compiled_cached
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
    for slot in slots:
        more, coming[slot] = coming[slot], 0
        if more == 0 or h.cards[slot, CAPACITY] >= min(h.cards[slot, LENGTH] + more, 2 * MAX_ROWS):
            continue
        drop_old(h, slot)
        need = h.cards[slot, LENGTH] + more
        if h.cards[slot, CAPACITY] >= min(need + need // 8, 2 * MAX_ROWS):
            continue
        tight[found] = slot
        room = max(need + need // 4, _FIRST_CAPACITY)
        wanted[found] = min(room + (-room) % _MULTIPLE, 2 * MAX_ROWS)
        found += 1
    return found


@compiled
def _shift_all(h: History, slot: int, target: Segment) -> None:
    """Copy a card's rows and their order."""
    rows = segment(h, slot)
    shift(rows, 0, target, 0, h.cards[slot, LENGTH])
    for i in range(h.sums[slot, ORDERED]):
        target.order[i] = rows.order[i]


@compiled_cached
def _move(h: History, slots: NDArray[np.int64], wanted: NDArray[np.int64], used: int) -> int:
    """Move the segments of ``slots`` to the end of the pool with ``wanted`` rows each; return the words in use."""
    for k in range(slots.shape[0]):
        slot = slots[k]
        _shift_all(h, slot, _segment_at(h, used, wanted[k]))
        h.cards[slot, START] = used
        h.cards[slot, CAPACITY] = wanted[k]
        used += _words_of(wanted[k])
    return used


@compiled_cached
def _copy_segments(source: History, target: History) -> int:
    used = 0
    for slot in range(source.cards.shape[0]):
        n = source.cards[slot, CAPACITY]
        _shift_all(source, slot, _segment_at(target, used, n))
        target.cards[slot, START] = used
        used += _words_of(n)
    return used


@compiled_cached
def _drop_old_of(h: History, slots: NDArray[np.int64]) -> None:
    for slot in slots:
        drop_old(h, slot)


@compiled_cached
def _write_out(h: History, slots: NDArray[np.int64], out: Segment) -> None:
    at = 0
    for slot in slots:
        shift(segment(h, slot), 0, out, at, h.cards[slot, LENGTH])
        at += h.cards[slot, LENGTH]


@compiled_cached
def _read_in(h: History, cards: int, rows: Segment) -> None:
    at = 0
    for slot in range(cards):
        shift(rows, at, segment(h, slot), 0, h.cards[slot, LENGTH])
        at += h.cards[slot, LENGTH]
