"""What the scorer keeps of one partition: its subjects, the ids that came, and how far its history is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalogue.windows import LONGEST_MS
from features.history.copy_on_write import StateCopy
from features.history.state import SubjectState
from features.transform.columns import Columns
from features.transform.update import update
from streams.scoring.admission.admission import Admission

#: ``cold`` holds the event time up to which scores are cold, or one of these.
_NOT_COLD, _FROM_NEXT = -1, -2
#: Places of the admission's table that a step copies for each subject: a table that was just made has no more for each id.
_PLACES_A_SUBJECT = 8


class PartitionState:
    """A pure function of the partition's log, but for ``begins_late``, which says that the log's beginning was lost."""

    def __init__(self, admission: Admission) -> None:
        self.subjects = SubjectState()
        self.admission = admission
        self._cold = _NOT_COLD
        self._copy: PartitionCopy | None = None

    @property
    def nbytes(self) -> int:
        """Return the bytes of all arrays."""
        return self.subjects.nbytes + self.admission.nbytes

    def begins_late(self) -> None:
        """Note that part of the history is lost: until the longest window has passed the next event, scores are cold."""
        self._cold = _FROM_NEXT

    def update(self, batch: Columns, measure_limit: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Take n transactions in; return their vectors (see ``features.transform.update.update``) and whether each is cold, bool
        [n]."""
        if self._copy is not None:
            self._copy.before(batch.subject)
        if self._cold == _FROM_NEXT and len(batch):
            self._cold = int(batch.event_time_ms[0]) + LONGEST_MS
        return update(self.subjects, batch, measure_limit), batch.event_time_ms < self._cold

    def copy(self, subjects_a_step: int) -> PartitionCopy:
        """Begin a copy of the state as it is now."""
        self._copy = PartitionCopy(self, subjects_a_step)
        return self._copy

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what ``PartitionCopy.arrays`` gave."""
        self.subjects = SubjectState.from_arrays(arrays)
        self.admission.load(arrays)
        self._cold = int(arrays["cold"][0])

    def ended(self, copy: PartitionCopy) -> None:
        """Let go of the copy: it is complete, or not wanted any more."""
        if self._copy is copy:
            self._copy = None

    def others(self) -> dict[str, NDArray[Any]]:
        """Return all but the subjects and the ids that came, as arrays."""
        return {"cold": np.array([self._cold], dtype=np.int64)}


class PartitionCopy:
    """``streams.engine.core.Copy`` of a PartitionState: the subjects, and beside them the ids that came."""

    def __init__(self, state: PartitionState, subjects_a_step: int) -> None:
        self._state = state
        self._subjects_a_step = subjects_a_step
        self._subjects = StateCopy(state.subjects)
        self._admission = state.admission.copy()
        self._others = state.others()

    @property
    def done(self) -> bool:
        """Tell whether all of the state is copied."""
        return self._subjects.done and self._admission.done

    def before(self, subjects: Sequence[str]) -> None:
        """Note these subjects, which are about to change."""
        self._subjects.before(subjects)

    def step(self) -> None:
        """Copy some more subjects, and some more ids."""
        self._subjects.step(self._subjects_a_step)
        self._admission.step(_PLACES_A_SUBJECT * self._subjects_a_step)
        if self.done:
            self._state.ended(self)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything, once it is done."""
        return {**self._subjects.arrays(), **self._admission.arrays(), **self._others}
