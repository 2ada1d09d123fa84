"""Bounded memories of rows by entity, in arrays, so that a batch costs a dict look-up an entity and little else.

An entity has a slot, which is a place in each array. Slots are given on first sight and taken from those that were used longest
ago, by ``trim``, which a reader calls when it is done with a batch: until then a batch has all its rows, however many.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.transform.counterpart_tiles import Tiles, empty
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH, Profiles

#: Tiles that weigh 1: two kilobytes. A counterpart that is busy at all hours has fifty.
_TILES_A_WEIGHT = 64


class EntityRows:
    """Which slot an entity has, and when its row was read. Not for use by several threads.

    ``time_ms`` int64: event time of the row, 0 where there is none.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._slot: dict[str, int] = {}
        self._entities: list[str] = []
        self._free: list[int] = []
        self._batch = 0
        self.time_ms = np.zeros(0, dtype=np.int64)
        self._read_s = np.zeros(0, dtype=np.float64)
        self._read_ms = np.zeros(0, dtype=np.int64)
        self._used = np.zeros(0, dtype=np.int64)
        self._weight = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._slot)

    @property
    def weight(self) -> int:
        """Return the weight of all rows; never above the bound after ``trim``."""
        return int(self._weight.sum())

    def slots(self, entities: Sequence[str]) -> NDArray[np.int64]:
        """Return the slot of each of these different ``entities``, int64 [n]; new ones get an empty row. They count as used."""
        slots = np.fromiter((self._slot.get(entity, -1) for entity in entities), dtype=np.int64, count=len(entities))
        for i in np.flatnonzero(slots < 0).tolist():
            slots[i] = self._new(entities[i])
        if len(self._entities) > len(self.time_ms):
            self._grow(max(1024, 2 * len(self._entities)))
        self._batch += 1
        self._used[slots] = self._batch
        self._weight[slots] = np.maximum(self._weight[slots], 1)
        return slots

    def fresh(self, slots: NDArray[np.int64], now_s: float, at_ms: int, wall_s: float, event_ms: int) -> NDArray[np.bool_]:
        """Tell which rows were read less than ``wall_s`` ago, for events at most ``event_ms`` away from ``at_ms``."""
        near: NDArray[np.bool_] = np.abs(self._read_ms[slots] - at_ms) <= event_ms
        return near & (now_s - self._read_s[slots] < wall_s)

    def trim(self) -> None:
        """Forget the rows used longest ago where rows weigh more than the bound, and some to spare: sorting costs."""
        excess = self.weight - self._most
        if excess <= 0:
            return
        excess += self._most // 16
        order = np.argsort(self._used, kind="stable")
        order = order[self._weight[order] > 0]
        enough = int(np.searchsorted(np.cumsum(self._weight[order]), excess)) + 1
        for slot in order[:enough].tolist():
            del self._slot[self._entities[slot]]
            self._free.append(slot)
            self._clear(slot)

    def _new(self, entity: str) -> int:
        if self._free:
            slot = self._free.pop()
            self._entities[slot] = entity
        else:
            slot = len(self._entities)
            self._entities.append(entity)
        self._slot[entity] = slot
        return slot

    def _grow(self, size: int) -> None:
        more = size - len(self.time_ms)
        self.time_ms = np.append(self.time_ms, np.zeros(more, dtype=np.int64))
        self._read_s = np.append(self._read_s, np.full(more, -np.inf))
        self._read_ms = np.append(self._read_ms, np.zeros(more, dtype=np.int64))
        self._used = np.append(self._used, np.zeros(more, dtype=np.int64))
        self._weight = np.append(self._weight, np.zeros(more, dtype=np.int64))

    def _clear(self, slot: int) -> None:
        self.time_ms[slot] = self._weight[slot] = 0
        self._read_s[slot] = -np.inf

    def _mark(self, slots: NDArray[np.int64], time_ms: NDArray[np.int64], now_s: float, at_ms: int) -> None:
        self.time_ms[slots] = time_ms
        self._read_s[slots] = now_s
        self._read_ms[slots] = at_ms


class OwnerRows(EntityRows):
    """``owner`` float32 [slots, PROFILE_WIDTH], ``usual`` int64 [slots, USUAL_WIDTH]; NaN and zeros where there is no row."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.owner = np.zeros((0, PROFILE_WIDTH), dtype=np.float32)
        self.usual = np.zeros((0, USUAL_WIDTH), dtype=np.int64)

    def put(self, slots: NDArray[np.int64], profiles: Profiles, now_s: float, at_ms: int) -> None:
        """Put in the owners of ``profiles``, row by row."""
        self._mark(slots, profiles.owner_ts_ms, now_s, at_ms)
        self.owner[slots] = profiles.owner
        self.usual[slots] = profiles.usual

    def _grow(self, size: int) -> None:
        more = size - len(self.time_ms)
        super()._grow(size)
        self.owner = np.concatenate([self.owner, np.full((more, PROFILE_WIDTH), np.nan, dtype=np.float32)])
        self.usual = np.concatenate([self.usual, np.zeros((more, USUAL_WIDTH), dtype=np.int64)])

    def _clear(self, slot: int) -> None:
        super()._clear(slot)
        self.owner[slot] = np.nan
        self.usual[slot] = 0


class CounterpartRows(EntityRows):
    """``tiles``: those of each slot, as many as there are; ``sizes`` int64 [slots]: how many."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.tiles: list[Tiles] = []
        self.sizes = np.zeros(0, dtype=np.int64)

    def put(self, slots: NDArray[np.int64], profiles: Profiles, now_s: float, at_ms: int) -> None:
        """Put in the counterparts of ``profiles``, row by row."""
        self._mark(slots, profiles.counterpart_ts_ms, now_s, at_ms)
        self.sizes[slots] = profiles.end - profiles.begin
        self._weight[slots] = 1 + self.sizes[slots] // _TILES_A_WEIGHT
        for slot, begin, end in zip(slots.tolist(), profiles.begin.tolist(), profiles.end.tolist(), strict=True):
            self.tiles[slot] = profiles.tiles[begin:end].copy()  # a view would keep the whole batch in memory

    def _grow(self, size: int) -> None:
        more = size - len(self.time_ms)
        super()._grow(size)
        self.tiles += [empty()] * more
        self.sizes = np.append(self.sizes, np.zeros(more, dtype=np.int64))

    def _clear(self, slot: int) -> None:
        super()._clear(slot)
        self.tiles[slot] = empty()
        self.sizes[slot] = 0
