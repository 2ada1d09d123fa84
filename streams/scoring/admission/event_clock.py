"""Event time of a partition, as a number that no single subject can move.

The newest event time alone is a bad clock: one event that is dated a century ahead by mistake would make all others late for
good. This clock shows the event time that ``SUBJECTS`` different subjects have reached: the least of the newest times of the
``SUBJECTS`` subjects that are farthest ahead. It is a pure function of the partition's log and never goes back once so many
subjects have been seen; before that it shows the least of the subjects there are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled

#: How many subjects must have reached a time.
SUBJECTS = 8
#: Before any event.
NEVER = -(2**62)


def new_clock() -> NDArray[np.int64]:
    """Return int64 [SUBJECTS + 1, 2]: rows of (subject, its newest event time in ms); the last row holds (subjects there are,
    time shown)."""
    clock = np.full((SUBJECTS + 1, 2), NEVER, dtype=np.int64)
    clock[SUBJECTS, 0] = 0
    return clock


@compiled
def shown(clock: NDArray[np.int64]) -> int:
    """Return the event time in ms, NEVER before any event."""
    time: int = clock[SUBJECTS, 1]
    return time


@compiled
def advance(clock: NDArray[np.int64], subject: int, time: int) -> None:
    """Take in an event of ``subject`` (any number that tells subjects apart) at ``time``."""
    known = clock[SUBJECTS, 0]
    if known == SUBJECTS and time <= clock[SUBJECTS, 1]:
        return
    place = -1
    least = 0
    for j in range(known):
        if clock[j, 0] == subject:
            place = j
        if clock[j, 1] < clock[least, 1]:
            least = j
    if place >= 0:
        clock[place, 1] = max(clock[place, 1], time)
    elif known < SUBJECTS:
        clock[known, 0], clock[known, 1] = subject, time
        known += 1
        clock[SUBJECTS, 0] = known
    else:
        clock[least, 0], clock[least, 1] = subject, time
    oldest = clock[0, 1]
    for j in range(1, known):
        oldest = min(oldest, clock[j, 1])
    clock[SUBJECTS, 1] = oldest
