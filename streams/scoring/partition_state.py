"""What the scorer keeps of one partition: its cards, the ids that came, and how far its history is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalogue.windows import LONGEST_MS
from features.history.copy_on_write import StateCopy
from features.history.state import CardState
from features.transform.columns import Columns
from features.transform.update import update
from streams.scoring.admission.admission import Admission

#: ``cold`` holds the event time up to which scores are cold, or one of these.
_NOT_COLD, _FROM_NEXT = -1, -2
#: Places of the admission's table that a step copies for each card: a table that was just made has no more for each id.
_PLACES_A_CARD = 8


class PartitionState:
    """A pure function of the partition's log, but for ``begins_late``, which says that the log's beginning was lost."""

    def __init__(self, admission: Admission) -> None:
        self.cards = CardState()
        self.admission = admission
        self._cold = _NOT_COLD
        self._copy: PartitionCopy | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self.cards.nbytes + self.admission.nbytes

    def begins_late(self) -> None:
        """Part of the history is lost: until the longest window has passed the next event, scores are cold."""
        self._cold = _FROM_NEXT

    def update(self, batch: Columns, amount_limit: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Take n transactions in; return their vectors (see ``features.transform.update.update``) and whether each is cold, bool
        [n]."""
        if self._copy is not None:
            self._copy.before(batch.card)
        if self._cold == _FROM_NEXT and len(batch):
            self._cold = int(batch.event_time_ms[0]) + LONGEST_MS
        return update(self.cards, batch, amount_limit), batch.event_time_ms < self._cold

    def copy(self, cards_a_step: int) -> PartitionCopy:
        """Begin a copy of the state as it is now."""
        self._copy = PartitionCopy(self, cards_a_step)
        return self._copy

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what ``PartitionCopy.arrays`` gave."""
        self.cards = CardState.from_arrays(arrays)
        self.admission.load(arrays)
        self._cold = int(arrays["cold"][0])

    def ended(self, copy: PartitionCopy) -> None:
        """The copy is complete, or not wanted any more."""
        if self._copy is copy:
            self._copy = None

    def others(self) -> dict[str, NDArray[Any]]:
        """All but the cards and the ids that came, as arrays."""
        return {"cold": np.array([self._cold], dtype=np.int64)}


class PartitionCopy:
    """``streams.engine.core.Copy`` of a PartitionState: the cards, and beside them the ids that came."""

    def __init__(self, state: PartitionState, cards_a_step: int) -> None:
        self._state = state
        self._cards_a_step = cards_a_step
        self._cards = StateCopy(state.cards)
        self._admission = state.admission.copy()
        self._others = state.others()

    @property
    def done(self) -> bool:
        """Whether all of the state is copied."""
        return self._cards.done and self._admission.done

    def before(self, cards: Sequence[str]) -> None:
        """These cards are about to change."""
        self._cards.before(cards)

    def step(self) -> None:
        """Copy some more cards, and some more ids."""
        self._cards.step(self._cards_a_step)
        self._admission.step(_PLACES_A_CARD * self._cards_a_step)
        if self.done:
            self._state.ended(self)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything, once it is done."""
        return {**self._cards.arrays(), **self._admission.arrays(), **self._others}
