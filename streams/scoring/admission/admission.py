"""Which transactions of a partition are new: producers repeat themselves, and records come late.

A transaction whose id came before, within the horizon, is a duplicate where its body is the same, and a conflict where it is
not. The horizon is event time on the partition's own clock (``streams.scoring.admission.event_clock``), counted from where the
clock stood when the first one came. A transaction that lies behind the clock by more than the allowed lateness is late: it is
scored, and flagged.

What is said is a pure function of the partition's log, whatever the batches were, so that a replay says the same again. Ids and
bodies are kept as hashes (64 bits each) in an open-addressing table, 24 bytes an entry and at most half full. One that has become
too full is exchanged for another without stopping the stream: its entries move there a few at each batch, and an id is looked for
in both until they have.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled_cached
from streams.scoring.admission.copy_on_write import AdmissionCopy
from streams.scoring.admission.event_clock import NEVER, advance, new_clock, shown
from streams.scoring.admission.table import BODY, KEY, SEEN, alive, empty, fill, move, oldest, place_of, used

NEW, DUPLICATE, CONFLICT, ASTRAY = 0, 1, 2, 3
_FIRST_SIZE = 1024
#: Places of a table that is left which are moved at each batch, and for each transaction: all are long before the next is full.
_PLACES, _PLACES_A_TRANSACTION = 1024, 8
#: So many places tell what share of a table's entries is still needed; hashes lie anywhere.
_SAMPLE = 16_384


class Admitted(NamedTuple):
    """Of n transactions: NEW, DUPLICATE, CONFLICT or ASTRAY, int8 [n]; whether each is late, bool [n]; and what the partition's
    clock showed when it came, int64 [n]."""

    verdict: NDArray[np.int8]
    late: NDArray[np.bool_]
    clock_ms: NDArray[np.int64]


class Origins(NamedTuple):
    """What is known of n transactions beside their content. ``taken``: NEW whatever came before
    (``streams.engine.repartition_header``), bool [n]; ``astray``: they belong in another partition (``streams.engine.homes``), so
    that only this one's clock takes them in, bool [n]; ``clock_ms``: what the clock showed where they came, NEVER where that was
    here, int64 [n]."""

    taken: NDArray[np.bool_]
    astray: NDArray[np.bool_]
    clock_ms: NDArray[np.int64]


def from_here(n: int) -> Origins:
    """Return the origins of transactions that all came where they belong."""
    return Origins(np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_), np.full(n, NEVER, dtype=np.int64))


class Admission:
    """The ids of one partition. ``horizon_ms`` and ``lateness_ms`` are event time; a horizon of 0 lets everything pass."""

    def __init__(self, horizon_ms: int, lateness_ms: int) -> None:
        self._horizon = horizon_ms
        self._lateness = lateness_ms
        self._table = empty(_FIRST_SIZE)
        self._filled = 0
        #: The table that is left, which does not change any more, and how many of its places have been moved.
        self._old = empty(1)
        self._moved = 1
        self._clock = new_clock()
        self._copy: AdmissionCopy | None = None

    def use(self, horizon_ms: int, lateness_ms: int) -> None:
        """Judge by these from now on. What the horizon of before had forgotten stays forgotten."""
        if horizon_ms != self._horizon:
            # Which of them are still in the table depends on when it was remade, and so on more than the log.
            self._move(len(self._old))
            entries = used(self._table)
            self._rebuild(entries[alive(entries, self._clock, self._horizon)])
        self._horizon, self._lateness = horizon_ms, lateness_ms

    @property
    def time_ms(self) -> int | None:
        """Return what the partition's clock shows; None before any event."""
        time = int(self._clock[-1, 1])
        return None if time == NEVER else time

    @property
    def nbytes(self) -> int:
        """Return the bytes held by the tables."""
        return self._table.nbytes + self._old.nbytes

    def admit(
        self,
        ids: NDArray[np.int64],
        bodies: NDArray[np.int64],
        subjects: NDArray[np.int64],
        times: NDArray[np.int64],
        origins: Origins | None = None,
    ) -> Admitted:
        """Judge n transactions in the order of the log, each after those before it.

        ``ids``, ``bodies``, ``subjects``: hashes, int64 [n]; ``times``: event time in ms, int64 [n]; ``origins`` None: all came
        where they belong.
        """
        n = len(ids)
        admitted = Admitted(np.zeros(n, dtype=np.int8), np.zeros(n, dtype=np.bool_), np.empty(n, dtype=np.int64))
        if 2 * (self._filled + len(ids)) > len(self._table):
            self._leave(len(ids))
        self._move(_PLACES + _PLACES_A_TRANSACTION * len(ids))
        keys = np.where(ids == 0, 1, ids)
        if self._copy is not None and not self._copy.before(self._table, keys):
            self._copy = None
        tables = self._table, self._old
        limits = self._horizon, self._lateness
        self._filled += _admit(
            *tables, self._clock, keys, bodies, subjects, times, *(origins or from_here(n)), *limits, *admitted
        )
        return admitted

    def copy(self) -> AdmissionCopy:
        """Begin a copy of the admission as it is now; a second one replaces it."""
        self._copy = self._begin_copy()
        return self._copy

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything, for a snapshot: ``admitted`` int64 [k, 3], ``clock`` and ``horizon``. The inverse is ``load``."""
        copy = self._begin_copy()
        copy.step(len(self._table) + len(self._old))
        return copy.arrays()

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what ``arrays`` gave."""
        self._clock = arrays["clock"].copy()
        self._horizon = int(arrays["horizon"][0])
        self._rebuild(arrays["admitted"])

    def _begin_copy(self) -> AdmissionCopy:
        return AdmissionCopy(self._table, self._old[self._moved :], self._clock, self._horizon)

    def _rebuild(self, entries: NDArray[np.int64]) -> None:
        """Fill a new table with ``entries``, all at once."""
        # A table of its own, always: a copy under way goes on with the old one.
        self._table, self._filled = empty(_size(3 * len(entries))), len(entries)
        fill(self._table, entries)
        self._old, self._moved = empty(1), 1

    def _leave(self, more: int) -> None:
        """Begin another table, with room for what is needed of this one and ``more``."""
        self._move(len(self._old))
        sample = used(self._table[:_SAMPLE])
        needed = self._filled * float(alive(sample, self._clock, self._horizon).mean()) if len(sample) else 0.0
        # What comes until all is moved must find room beside it.
        meanwhile = len(self._table) / _PLACES_A_TRANSACTION + more
        self._old, self._moved = self._table, 0
        self._table, self._filled = empty(_size(max(3.0 * needed, 2.2 * (needed + meanwhile)))), 0

    def _move(self, places: int) -> None:
        """Move what is needed of the next ``places`` places of the table that is left."""
        if self._moved >= len(self._old):
            return
        part = self._old[self._moved : self._moved + places]
        self._filled += move(part, self._table, oldest(self._clock, self._horizon))
        self._moved += len(part)
        if self._moved >= len(self._old):
            self._old, self._moved = empty(1), 1


def _size(places: float) -> int:
    return max(_FIRST_SIZE, 1 << math.ceil(math.log2(max(1.0, places))))


@compiled_cached
def _admit(
    table: NDArray[np.int64],
    old: NDArray[np.int64],
    clock: NDArray[np.int64],
    keys: NDArray[np.int64],
    bodies: NDArray[np.int64],
    subjects: NDArray[np.int64],
    times: NDArray[np.int64],
    sure: NDArray[np.bool_],
    astray: NDArray[np.bool_],
    elsewhere_ms: NDArray[np.int64],
    horizon: int,
    lateness: int,
    verdict: NDArray[np.int8],
    late: NDArray[np.bool_],
    came_ms: NDArray[np.int64],
) -> int:
    """Judge and take in; return how many places of the table were filled."""
    filled = 0
    for i in range(keys.shape[0]):
        clock_ms, place = shown(clock), 0
        came_ms[i] = clock_ms
        if astray[i]:
            verdict[i] = ASTRAY
            advance(clock, subjects[i], times[i])
            continue
        if horizon > 0:
            place = place_of(table, keys[i])
            absent = table[place, KEY] == 0
            holder, at = table, place
            if absent:
                holder, at = old, place_of(old, keys[i])
            if holder[at, KEY] != 0 and holder[at, SEEN] > clock_ms - horizon and not sure[i]:
                verdict[i] = DUPLICATE if holder[at, BODY] == bodies[i] else CONFLICT
                continue
            filled += absent
        late[i] = times[i] < (clock_ms if elsewhere_ms[i] == NEVER else elsewhere_ms[i]) - lateness
        advance(clock, subjects[i], times[i])
        if horizon > 0:
            table[place, KEY] = keys[i]
            table[place, BODY] = bodies[i]
            table[place, SEEN] = max(shown(clock), clock_ms)
    return filled
