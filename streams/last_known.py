"""Profiles for a micro-batch, and the last known ones while Redis does not answer."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.online import ProfilesUnavailable
from features.profiles import Profiles, unknown
from features.terminal_tiles import Tiles

log = logging.getLogger(__name__)

#: After a failed read the store is left alone for this long, so that one time-out is not paid by every micro-batch.
RETRY_AFTER_S = 1.0
#: Most entities remembered of each kind, two kilobytes each for terminals; those seen longest ago go first.
REMEMBERED = 50_000

R = TypeVar("R")


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
        self._customers: _Memory[tuple[NDArray[np.float32], NDArray[np.int64]]] = _Memory(remembered)
        self._terminals: _Memory[Tiles] = _Memory(remembered)
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
                self._keep(card_ids, terminal_ids, found)
                return Read(found, degraded=False)
        return Read(self._recall(card_ids, terminal_ids), degraded=True)

    def _keep(self, card_ids: Sequence[str], terminal_ids: Sequence[str], found: Profiles) -> None:
        for card, i in {card: i for i, card in enumerate(card_ids)}.items():
            if found.customer_ts_ms[i] > 0:
                row = found.customer[i].copy(), found.usual[i].copy()
                self._customers.keep(card, row, int(found.customer_ts_ms[i]))
        for terminal, i in {terminal: i for i, terminal in enumerate(terminal_ids)}.items():
            if found.terminal_ts_ms[i] > 0:
                tiles = found.tiles[found.begin[i] : found.end[i]].copy()
                self._terminals.keep(terminal, tiles, int(found.terminal_ts_ms[i]))
        self._customers.forget_oldest()
        self._terminals.forget_oldest()

    def _recall(self, card_ids: Sequence[str], terminal_ids: Sequence[str]) -> Profiles:
        empty = unknown(len(card_ids))
        customer, usual, customer_ts = empty.customer, empty.usual, empty.customer_ts_ms.copy()
        for i, card in enumerate(card_ids):
            known = self._customers.get(card)
            if known is not None:
                (customer[i], usual[i]), customer_ts[i] = known
        parts: list[Tiles] = [empty.tiles]
        terminal_ts, lengths = np.zeros(len(terminal_ids), dtype=np.int64), np.zeros(len(terminal_ids), dtype=np.int64)
        for i, terminal in enumerate(terminal_ids):
            tiles = self._terminals.get(terminal)
            if tiles is not None:
                parts.append(tiles[0])
                lengths[i], terminal_ts[i] = len(tiles[0]), tiles[1]
        end = np.cumsum(lengths)
        return Profiles(customer, usual, customer_ts, np.concatenate(parts), end - lengths, end, terminal_ts)


class _Memory(Generic[R]):
    """The newest row of each entity, and its time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: dict[str, tuple[R, int]] = {}

    def keep(self, entity: str, row: R, time_ms: int) -> None:
        self._rows.pop(entity, None)  # to the end: a dict keeps the order of insertion
        self._rows[entity] = row, time_ms

    def forget_oldest(self) -> None:
        """Down to the most that are remembered."""
        for entity in list(itertools.islice(self._rows, max(0, len(self._rows) - self._most))):
            del self._rows[entity]

    def get(self, entity: str) -> tuple[R, int] | None:
        return self._rows.get(entity)
