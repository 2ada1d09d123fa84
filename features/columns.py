"""A batch of transactions as columns: what the transform reads, from the stream or from Parquet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from features.events import ENTRY_MODES, Transaction

_MODE = {mode: i for i, mode in enumerate(ENTRY_MODES)}


@dataclass(frozen=True, slots=True)
class Columns:
    """n transactions. Unknown latitude or longitude is NaN; unknown entry mode or PIN is -1."""

    card: list[str]
    event_time_ms: NDArray[np.int64]
    amount_minor: NDArray[np.int64]
    terminal: NDArray[np.int64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    entry_mode: NDArray[np.int8]
    pin_used: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.card)

    def take(self, rows: NDArray[np.int64]) -> Columns:
        """The given rows, in the given order."""
        return Columns(
            [self.card[i] for i in rows.tolist()],
            self.event_time_ms[rows],
            self.amount_minor[rows],
            self.terminal[rows],
            self.latitude[rows],
            self.longitude[rows],
            self.entry_mode[rows],
            self.pin_used[rows],
        )


@lru_cache(maxsize=200_000)
def terminal_number(terminal_id: str) -> int:
    """A terminal as a stable 64-bit number: the state keeps it in arrays, and every process must agree on it."""
    return int.from_bytes(hashlib.blake2b(terminal_id.encode(), digest_size=8).digest(), "little", signed=True)


def terminal_numbers(terminal_ids: Iterable[str]) -> NDArray[np.int64]:
    """``terminal_number`` of each, int64 [n]."""
    return np.array([terminal_number(t) for t in terminal_ids], dtype=np.int64)


def from_transactions(batch: Sequence[Transaction]) -> Columns:
    """Columns of a decoded micro-batch, in its order."""
    nan = float("nan")
    return Columns(
        card=[t.card_id for t in batch],
        event_time_ms=np.array([t.event_time_ms for t in batch], dtype=np.int64),
        amount_minor=np.array([t.amount_minor for t in batch], dtype=np.int64),
        terminal=terminal_numbers(t.terminal_id for t in batch),
        latitude=np.array([nan if t.latitude is None else t.latitude for t in batch], dtype=np.float64),
        longitude=np.array([nan if t.longitude is None else t.longitude for t in batch], dtype=np.float64),
        entry_mode=np.array([-1 if t.entry_mode is None else _MODE[t.entry_mode] for t in batch], dtype=np.int8),
        pin_used=np.array([-1 if t.pin_used is None else int(t.pin_used) for t in batch], dtype=np.int8),
    )
