"""Go through the states of a shell (``streams.engine.shell``), and refuse every step that its life cycle does not have.

::

    NEW --> JOINING --> READING --> BATCH ----> WAITING --> MOVED
                        ^  |  ^     |   |       |    |        |
                        |  |  +-----+---|-------+    |        |    committed
                        |  |            |            |        |
                        |  |            +--------> SPOILT <---+    given up
                        |  |                         |
                        |  +--------> REBUILDING <---+
                        |                 |
                        +-----------------+

    JOINING, READING, SPOILT, REBUILDING --> ENDED

| state | what it is | what ends it | then |
| --- | --- | --- | --- |
| NEW | made, and not run | ``run`` | JOINING |
| JOINING | asks for a place in the group | partitions are assigned, or none, as to a spare member | READING |
| READING | between two batches: the core's state is as of what is committed | records come | BATCH |
| READING | | the log is cut off before what is next, or moving the offsets alone fails | REBUILDING |
| BATCH | the core's state goes through records | they are committed | READING |
| BATCH | | the core or its sink waits for a service that is away | WAITING |
| BATCH | | the transaction is aborted, the core raises, or a stop | SPOILT |
| WAITING | partitions are paused, polling goes on: nobody else is handed them | the batch is committed | READING |
| WAITING | | partitions go to another member | MOVED |
| WAITING | | as of BATCH | SPOILT |
| MOVED | the batch in hand is somebody else's, and is never committed | the end of the wait, or of the batch | SPOILT |
| SPOILT | the core's state went through what is not committed, and is never used again | the loop goes on | REBUILDING |
| REBUILDING | forget, restore, seek to what is committed | all is brought back | READING |
| ENDED | the group is left | nothing | |

A stop, or an error that the process is to end by, ends JOINING, READING, SPOILT and REBUILDING by ENDED; a batch in hand is given
up first. Partitions come and go while the shell reads or waits, which is the assignment's business
(``streams.engine.assignment``); only WAITING is ended by it. What other threads ask for (``Shell.stop``) is no state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import Enum, auto


class State(Enum):
    """Where a shell is in its life; see above."""

    NEW = auto()
    JOINING = auto()
    READING = auto()
    BATCH = auto()
    WAITING = auto()
    MOVED = auto()
    SPOILT = auto()
    REBUILDING = auto()
    ENDED = auto()


#: By state: those that may follow.
FOLLOWING: Mapping[State, frozenset[State]] = {
    State.NEW: frozenset({State.JOINING}),
    State.JOINING: frozenset({State.READING, State.ENDED}),
    State.READING: frozenset({State.BATCH, State.REBUILDING, State.ENDED}),
    State.BATCH: frozenset({State.READING, State.WAITING, State.SPOILT}),
    State.WAITING: frozenset({State.READING, State.MOVED, State.SPOILT}),
    State.MOVED: frozenset({State.SPOILT}),
    State.SPOILT: frozenset({State.REBUILDING, State.ENDED}),
    State.REBUILDING: frozenset({State.READING, State.ENDED}),
    State.ENDED: frozenset(),
}
#: No partitions were assigned yet, not even none.
OUTSIDE = frozenset({State.NEW, State.JOINING})
#: Fetching is paused, and stays so until the batch ends.
PAUSED = frozenset({State.WAITING, State.MOVED})


class IllegalStep(RuntimeError):
    """A step that the life cycle does not have: a mistake in the shell, or a core that waits outside of a batch."""


class LifeCycle:
    """The state of one shell, changed by its own thread and read by others. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.state = State.NEW
        self._paused_at = 0.0

    def to(self, state: State) -> None:
        """Go on to ``state``. Raises IllegalStep where it does not follow; the state stays then."""
        if state not in FOLLOWING[self.state]:
            raise IllegalStep(f"a shell that is {self.state.name} cannot become {state.name} (streams/engine/life_cycle.py)")
        if state is State.WAITING:
            self._paused_at = self._clock()
        self.state = state

    @property
    def paused_s(self) -> float | None:
        """Return how long the stream has waited within its batch, in seconds; None where it does not wait."""
        return self._clock() - self._paused_at if self.state in PAUSED else None
