"""A copy of a card state as of one moment, taken in small steps while the state goes on.

Copy on write: a card that is about to change is copied first, and the others in turn, a bounded number a step. So no step takes
longer the more cards there are, nor does the begin: it notes how many there are, for cards are only ever added. The copy is what
one long stop would have given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.history.arrays import COLUMNS
from features.history.state import CardState, named


class StateCopy:
    """Begins with the state as it is now. Call ``before`` ahead of every update, and ``step`` until ``done``."""

    def __init__(self, state: CardState) -> None:
        self._state = state
        self._cards = state.cards
        self._ids: list[str] = []
        self._copied = np.zeros(self._cards, dtype=np.bool_)
        self._next = 0
        self._numbers: list[NDArray[np.int64]] = []
        self._parts: list[dict[str, NDArray[Any]]] = []

    @property
    def done(self) -> bool:
        """Whether every card is copied."""
        return self._next == self._cards

    def before(self, cards: Sequence[str]) -> None:
        """``cards`` are about to change."""
        numbers = np.unique(self._state.known(cards))
        self._copy(numbers[numbers < self._cards])

    def step(self, cards: int) -> None:
        """Look at the next ``cards`` cards, and copy those that have not changed since."""
        end = min(self._next + cards, self._cards)
        self._ids += self._state.ids(self._next, end)
        self._copy(np.arange(self._next, end))
        self._next = end

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What ``CardState.arrays`` gave at the beginning, with the cards in another order. Only once it is done."""
        if not self.done:
            raise RuntimeError("the copy is not complete; call step until it is done")
        numbers = np.concatenate([np.zeros(0, dtype=np.int64), *self._numbers])
        kinds = {"lengths": np.int64, **COLUMNS}
        columns = {
            name: np.concatenate([np.zeros(0, dtype=kind), *(part[name] for part in self._parts)]) for name, kind in kinds.items()
        }
        return {**named(self._ids[number] for number in numbers.tolist()), **columns}

    def _copy(self, numbers: NDArray[np.int64]) -> None:
        numbers = numbers[~self._copied[numbers]]
        if len(numbers):
            self._copied[numbers] = True
            self._numbers.append(numbers)
            self._parts.append(self._state.part(numbers))
