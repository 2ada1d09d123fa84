"""A copy of a subject state as of one moment, taken in small steps while the state goes on.

Copy on write: a subject that is about to change is copied first, and the others in turn, a bounded number a step. So no step
takes longer the more subjects there are, nor does the begin: it notes how many there are, for subjects are only ever added. The
copy is what one long stop would have given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.history.arrays import COLUMNS
from features.history.state import SubjectState, named


class StateCopy:
    """Begins with the state as it is now. Call ``before`` ahead of every update, and ``step`` until ``done``."""

    def __init__(self, state: SubjectState) -> None:
        self._state = state
        self._subjects = state.numbers
        self._ids: list[str] = []
        self._copied = np.zeros(self._subjects, dtype=np.bool_)
        self._next = 0
        self._numbers: list[NDArray[np.int64]] = []
        self._parts: list[dict[str, NDArray[Any]]] = []

    @property
    def done(self) -> bool:
        """Tell whether every subject is copied."""
        return self._next == self._subjects

    def before(self, subjects: Sequence[str]) -> None:
        """Copy ``subjects``, which are about to change, unless they are copied already."""
        numbers = self._state.known(subjects)
        numbers = np.unique(np.concatenate([numbers, self._state.beside(numbers)]))
        self._copy(numbers[numbers < self._subjects])

    def step(self, subjects: int) -> None:
        """Look at the next ``subjects`` subjects, and copy those that have not changed since."""
        end = min(self._next + subjects, self._subjects)
        self._ids += self._state.ids(self._next, end)
        self._copy(np.arange(self._next, end))
        self._next = end

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what ``SubjectState.arrays`` gave at the beginning, with the subjects in another order. Only once it is done."""
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
