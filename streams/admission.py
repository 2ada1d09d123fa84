"""Which transactions of a partition are new: producers repeat themselves, and records come late.

A transaction whose id came before, within the horizon, is a duplicate where its body is the same, and a conflict where it is
not. The horizon is event time on the partition's own clock (``streams.event_clock``), counted from where the clock stood when
the first one came. A transaction that lies behind the clock by more than the allowed lateness is late: it is scored, and flagged.

What is said is a pure function of the partition's log, whatever the batches were, so that a replay says the same again. Ids and
bodies are kept as hashes (64 bits each) in an open-addressing table, 24 bytes an entry and at most half full.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled_cached
from streams.admission_copy import AdmissionCopy
from streams.admission_table import BODY, KEY, SEEN, alive, empty, fill, place_of, used
from streams.event_clock import NEVER, advance, new_clock, shown

NEW, DUPLICATE, CONFLICT = 0, 1, 2
_FIRST_SIZE = 1024


class Admitted(NamedTuple):
    """Of n transactions: NEW, DUPLICATE or CONFLICT, int8 [n], and whether each is late, bool [n]."""

    verdict: NDArray[np.int8]
    late: NDArray[np.bool_]


class Admission:
    """The ids of one partition. ``horizon_ms`` and ``lateness_ms`` are event time; a horizon of 0 lets everything pass."""

    def __init__(self, horizon_ms: int, lateness_ms: int) -> None:
        self._horizon = horizon_ms
        self._lateness = lateness_ms
        self._table = empty(_FIRST_SIZE)
        self._filled = 0
        self._clock = new_clock()
        self._copy: AdmissionCopy | None = None

    def use(self, horizon_ms: int, lateness_ms: int) -> None:
        """Judge by these from now on. What the horizon of before had forgotten stays forgotten."""
        if horizon_ms != self._horizon:
            # Which of them are still in the table depends on when it was remade, and so on more than the log.
            self._make_room(0)
        self._horizon, self._lateness = horizon_ms, lateness_ms

    @property
    def time_ms(self) -> int | None:
        """What the partition's clock shows; None before any event."""
        time = int(self._clock[-1, 1])
        return None if time == NEVER else time

    @property
    def nbytes(self) -> int:
        """Bytes held by the table."""
        return self._table.nbytes

    def admit(
        self,
        ids: NDArray[np.int64],
        bodies: NDArray[np.int64],
        cards: NDArray[np.int64],
        times: NDArray[np.int64],
        taken: NDArray[np.bool_] | None = None,
    ) -> Admitted:
        """Judge n transactions in the order of the log, each after those before it.

        ``ids``, ``bodies``, ``cards``: hashes, int64 [n]; ``times``: event time in ms, int64 [n]; ``taken``: bool [n], those that
        are NEW whatever came before (``streams.copied``).
        """
        sure = np.zeros(len(ids), dtype=np.bool_) if taken is None else taken
        found = Admitted(np.zeros(len(ids), dtype=np.int8), np.zeros(len(ids), dtype=np.bool_))
        if 2 * (self._filled + len(ids)) > len(self._table):
            self._make_room(len(ids))
        keys = np.where(ids == 0, 1, ids)
        if self._copy is not None and not self._copy.before(self._table, keys):
            self._copy = None
        self._filled += _admit(
            self._table, self._clock, keys, bodies, cards, times, sure, self._horizon, self._lateness, found.verdict, found.late
        )
        return found

    def copy(self) -> AdmissionCopy:
        """Begin a copy of the admission as it is now; a second one replaces it."""
        self._copy = AdmissionCopy(self._table, self._clock, self._horizon)
        return self._copy

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything, for a snapshot: ``admitted`` int64 [k, 3], ``clock`` and ``horizon``. The inverse is ``load``."""
        copy = AdmissionCopy(self._table, self._clock, self._horizon)
        copy.step(len(self._table))
        return copy.arrays()

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what ``arrays`` gave."""
        self._clock = arrays["clock"].copy()
        self._horizon = int(arrays["horizon"][0])
        self._rebuild(arrays["admitted"], len(arrays["admitted"]))

    def _make_room(self, more: int) -> None:
        entries = used(self._table)
        kept = entries[alive(entries, self._clock, self._horizon)]
        self._rebuild(kept, len(kept) + more)

    def _rebuild(self, entries: NDArray[np.int64], need: int) -> None:
        # Never more than a quarter full afterwards, so that the next time is as many events away.
        size = max(_FIRST_SIZE, 1 << int(4 * need - 1).bit_length()) if need else _FIRST_SIZE
        # A table of its own, always: a copy under way goes on with the old one.
        self._table = empty(size)
        self._filled = len(entries)
        fill(self._table, entries)


@compiled_cached
def _admit(
    table: NDArray[np.int64],
    clock: NDArray[np.int64],
    keys: NDArray[np.int64],
    bodies: NDArray[np.int64],
    cards: NDArray[np.int64],
    times: NDArray[np.int64],
    sure: NDArray[np.bool_],
    horizon: int,
    lateness: int,
    verdict: NDArray[np.int8],
    late: NDArray[np.bool_],
) -> int:
    """Judge and take in; return how many places of the table were filled."""
    filled = 0
    for i in range(keys.shape[0]):
        now, place = shown(clock), 0
        if horizon > 0:
            place = place_of(table, keys[i])
            if table[place, KEY] == 0:
                filled += 1
            elif table[place, SEEN] > now - horizon and not sure[i]:
                verdict[i] = DUPLICATE if table[place, BODY] == bodies[i] else CONFLICT
                continue
        late[i] = times[i] < now - lateness
        advance(clock, cards[i], times[i])
        if horizon > 0:
            table[place, KEY] = keys[i]
            table[place, BODY] = bodies[i]
            table[place, SEEN] = max(shown(clock), now)
    return filled
