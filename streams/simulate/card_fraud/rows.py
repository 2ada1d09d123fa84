"""Payments of one day before they become events: indices into the world, not yet text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

CHIP, CONTACTLESS, SWIPE, MANUAL, ONLINE = range(5)
#: Cents. Above it a card must be read by its chip, with the PIN.
CONTACTLESS_LIMIT = 5000


@dataclass(frozen=True)
class Rows:
    """n payments: card and terminal as positions in the world, ``time`` in ms since midnight, ``amount`` in cents, ``kind`` as
    a position in ``ROLES.kinds``."""

    card: NDArray[np.int64]
    terminal: NDArray[np.int64]
    time: NDArray[np.int64]
    amount: NDArray[np.int64]
    mode: NDArray[np.int8]
    flag: NDArray[np.int8]
    pattern: NDArray[np.int8]
    kind: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Rows:
        return Rows(*(getattr(self, f.name)[rows] for f in fields(self)))


def concat(parts: Sequence[Rows]) -> Rows:
    """Return all rows of ``parts`` (at least one), one part after the other."""
    return Rows(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Rows)))


def cents(amount: NDArray[np.float64], least: int = 50) -> NDArray[np.int64]:
    """Convert currency units to cents, at least ``least``."""
    return np.maximum(np.rint(amount * 100.0).astype(np.int64), least)
