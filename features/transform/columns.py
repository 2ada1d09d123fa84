"""A batch of transactions as columns: what the transform reads, from the stream or from Parquet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.base.events import ENTRY_MODES, Transaction

if TYPE_CHECKING:
    import pyarrow as pa

_MODE_OR_UNKNOWN: dict[str | None, int] = {None: -1, **{mode: i for i, mode in enumerate(ENTRY_MODES)}}
_NAN = float("nan")
#: Amounts below this, in minor units, can be summed exactly (``features.history.running_sums``).
MOST_AMOUNT = 1 << 37


@dataclass(frozen=True, slots=True)
class Columns:
    """n transactions. Unknown latitude or longitude is NaN; unknown entry mode or PIN is -1, unknown category 0.

    Places are float32: to a metre or two, in stream and batch alike.
    """

    card: list[str]
    event_time_ms: NDArray[np.int64]
    amount_minor: NDArray[np.int64]
    terminal: NDArray[np.int32]
    category: NDArray[np.int64]
    latitude: NDArray[np.float32]
    longitude: NDArray[np.float32]
    entry_mode: NDArray[np.int8]
    pin_used: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.card)

    def check(self) -> None:
        """Raises ValueError, naming the column, for lengths that differ and amounts outside [0, 2^37): compiled code reads them
        without looking."""
        for name in self.__slots__:
            if len(getattr(self, name)) != len(self.card):
                raise ValueError(f"{name} has {len(getattr(self, name))} values for {len(self.card)} transactions")
        if len(self.card) and not (self.amount_minor.min() >= 0 and self.amount_minor.max() < MOST_AMOUNT):
            raise ValueError(
                f"amount_minor goes from {self.amount_minor.min()} to {self.amount_minor.max()}; give 0 to {MOST_AMOUNT - 1}"
            )

    def take(self, rows: NDArray[np.int64]) -> Columns:
        """The given rows, in the given order."""
        return Columns(
            [self.card[i] for i in rows.tolist()],
            self.event_time_ms[rows],
            self.amount_minor[rows],
            self.terminal[rows],
            self.category[rows],
            self.latitude[rows],
            self.longitude[rows],
            self.entry_mode[rows],
            self.pin_used[rows],
        )


def _digest(text: str, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "little", signed=True)


@lru_cache(maxsize=200_000)
def terminal_number(terminal_id: str) -> int:
    """A terminal as a stable 32-bit number: the state keeps it in arrays, and every process must agree on it.

    Terminals are told apart by it within one card's 90 days only: of a million cards with a hundred terminals each, one card
    or so takes two of them for one.
    """
    return _digest(terminal_id, 4)


@lru_cache(maxsize=10_000)
def category_number(merchant_category: str | None) -> int:
    """A merchant category as a stable 64-bit number; 0 where it is not told."""
    return 0 if merchant_category is None else _digest(merchant_category, 8)


def mode_number(entry_mode: str | None) -> int:
    """The place of an entry mode in ``features.base.events.ENTRY_MODES``, -1 for another or none."""
    return _MODE_OR_UNKNOWN.get(entry_mode, -1)


def terminal_numbers(terminal_ids: Iterable[str]) -> NDArray[np.int32]:
    """``terminal_number`` of each, int32 [n]."""
    return np.array([terminal_number(t) for t in terminal_ids], dtype=np.int32)


def category_numbers(merchant_categories: Iterable[str | None]) -> NDArray[np.int64]:
    """``category_number`` of each, int64 [n]."""
    return np.array([category_number(c) for c in merchant_categories], dtype=np.int64)


def from_table(table: pa.Table) -> Columns:
    """Columns of archived transactions (``features.archive.layout.SCORES`` or some of its columns), in the table's order."""

    def floats(name: str) -> NDArray[np.float32]:
        return np.asarray(table.column(name).to_numpy(), dtype=np.float64).astype(np.float32)

    return Columns(
        card=table.column("card_id").to_pylist(),
        event_time_ms=table.column("event_time_ms").to_numpy().astype(np.int64),
        amount_minor=table.column("amount_minor").to_numpy().astype(np.int64),
        terminal=terminal_numbers(table.column("terminal_id").to_pylist()),
        category=category_numbers(table.column("merchant_category").to_pylist()),
        latitude=floats("latitude"),
        longitude=floats("longitude"),
        entry_mode=np.array([mode_number(m) for m in table.column("entry_mode").to_pylist()], dtype=np.int8),
        pin_used=np.array([-1 if p is None else int(p) for p in table.column("pin_used").to_pylist()], dtype=np.int8),
    )


def from_transactions(batch: Sequence[Transaction]) -> Columns:
    """Columns of a decoded micro-batch, in its order."""
    return Columns(
        card=[t.card_id for t in batch],
        event_time_ms=np.array([t.event_time_ms for t in batch], dtype=np.int64),
        amount_minor=np.array([t.amount_minor for t in batch], dtype=np.int64),
        terminal=terminal_numbers(t.terminal_id for t in batch),
        category=category_numbers(t.merchant_category for t in batch),
        latitude=np.array([_NAN if t.latitude is None else t.latitude for t in batch], dtype=np.float32),
        longitude=np.array([_NAN if t.longitude is None else t.longitude for t in batch], dtype=np.float32),
        entry_mode=np.array([_MODE_OR_UNKNOWN[t.entry_mode] for t in batch], dtype=np.int8),
        pin_used=np.array([-1 if t.pin_used is None else int(t.pin_used) for t in batch], dtype=np.int8),
    )
