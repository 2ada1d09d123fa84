"""Profiles for a micro-batch, and the last known ones while Redis does not answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.online import ProfilesUnavailable
from features.profiles import PROFILE_WIDTH, Profiles
from features.terminal_tiles import TILE_WIDTH

log = logging.getLogger(__name__)

#: After a failed read the store is left alone for this long, so that one time-out is not paid by every micro-batch.
RETRY_AFTER_S = 1.0
#: Most entities remembered of each kind, a kilobyte each for terminals; those seen longest ago go first.
REMEMBERED = 50_000

D = TypeVar("D", np.float32, np.int64)


class Source(Protocol):
    """What reads profiles: ``features.online.ProfileReader``."""

    def read(self, card_ids: Sequence[str], terminal_ids: Sequence[str]) -> Profiles: ...


@dataclass(frozen=True, slots=True)
class Read:
    """Profiles aligned with the batch; ``degraded``: from memory, because the store did not answer."""

    profiles: Profiles
    degraded: bool


class LastKnown:
    """Reads profiles and remembers them. Never raises ProfilesUnavailable: then it answers from memory, as degraded."""

    def __init__(self, source: Source, remembered: int = REMEMBERED) -> None:
        self._source = source
        self._customers: _Memory[np.float32] = _Memory(remembered)
        self._terminals: _Memory[np.int64] = _Memory(remembered)
        self._retry_at = 0.0

    def read(self, card_ids: Sequence[str], terminal_ids: Sequence[str]) -> Read:
        """Profiles of n transactions, in their order; ids may repeat."""
        if time.monotonic() >= self._retry_at:
            try:
                found = self._source.read(card_ids, terminal_ids)
            except ProfilesUnavailable as error:
                log.warning("scores are degraded: %s", error)
                self._retry_at = time.monotonic() + RETRY_AFTER_S
            else:
                self._customers.keep(card_ids, found.customer, found.customer_ts_ms)
                self._terminals.keep(terminal_ids, found.tiles, found.terminal_ts_ms)
                return Read(found, degraded=False)
        customer = np.full((len(card_ids), PROFILE_WIDTH), np.nan, dtype=np.float32)
        tiles = np.zeros((len(terminal_ids), TILE_WIDTH), dtype=np.int64)
        customer_ts = self._customers.recall(card_ids, customer)
        terminal_ts = self._terminals.recall(terminal_ids, tiles)
        return Read(Profiles(customer, customer_ts, tiles, terminal_ts), degraded=True)


class _Memory(Generic[D]):
    """The newest row of each entity, and its time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: dict[str, tuple[NDArray[D], int]] = {}

    def keep(self, ids: Sequence[str], rows: NDArray[D], times: NDArray[np.int64]) -> None:
        for entity, i in {entity: i for i, entity in enumerate(ids)}.items():
            if times[i] > 0:
                self._rows.pop(entity, None)  # to the end: a dict keeps the order of insertion
                self._rows[entity] = (rows[i].copy(), int(times[i]))
        for entity in list(self._rows)[: max(0, len(self._rows) - self._most)]:
            del self._rows[entity]

    def recall(self, ids: Sequence[str], into: NDArray[D]) -> NDArray[np.int64]:
        """Copy what is known into the rows of ``into``; return the times, 0 where unknown."""
        times = np.zeros(len(ids), dtype=np.int64)
        for i, entity in enumerate(ids):
            row = self._rows.get(entity)
            if row is not None:
                into[i], times[i] = row
        return times
