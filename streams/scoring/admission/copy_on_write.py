"""A copy of an admission as of one moment, taken in small steps while the admission goes on.

The table is not copied at the begin: what it then held for the ids of each later batch is noted before the batch is taken, and
put back at the end. Once the admission has made itself another table, the one of the begin does not change any more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.scoring.admission.table import KEY, alive, empty, look_up, used


class AdmissionCopy:
    """Begins with the table as it is now. ``old``: what has not moved there yet of the one before it, which does not change.
    Call ``before`` ahead of every batch, and ``step`` until ``done``."""

    def __init__(self, table: NDArray[np.int64], old: NDArray[np.int64], clock: NDArray[np.int64], horizon_ms: int) -> None:
        self._table: NDArray[np.int64] | None = table
        self._old = old
        self._clock = clock.copy()
        self._horizon = horizon_ms
        self._next = 0
        self._parts: list[NDArray[np.int64]] = []
        self._old_parts: list[NDArray[np.int64]] = []
        #: By batch: its keys, and what the table held for them; zeros where it held nothing.
        self._keys: list[NDArray[np.int64]] = []
        self._held: list[NDArray[np.int64]] = []

    @property
    def done(self) -> bool:
        """Tell whether the whole table is copied."""
        return self._table is None

    def before(self, table: NDArray[np.int64], keys: NDArray[np.int64]) -> bool:
        """Note what ``table`` holds for ``keys``, int64 [n], none of them 0, before it takes them. False: nothing that comes can
        tell on the copy."""
        if self._table is not table:
            return False
        held = np.empty((len(keys), 3), dtype=np.int64)
        look_up(table, keys, held)
        self._keys.append(keys)
        self._held.append(held)
        return True

    def step(self, places: int) -> None:
        """Copy what lies in the next ``places`` places of the tables."""
        if self._table is None:
            return
        if len(self._old):
            part, self._old = self._old[:places], self._old[places:]
            self._old_parts.append(used(part))
            places -= len(part)
        self._parts.append(used(self._table[self._next : self._next + places]))
        self._next += places
        if self._next >= len(self._table):
            self._table = None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what ``Admission.arrays`` gave at the beginning, in another order. Only once it is done."""
        if not self.done:
            raise RuntimeError("the copy is not complete; call step until it is done")
        entries = np.concatenate([empty(0), *self._parts])
        # Of a key that was noted more than once, the first note is the state of the begin.
        keys, first = np.unique(np.concatenate([empty(0)[:, KEY], *self._keys]), return_index=True)
        if len(keys):
            held = np.concatenate(self._held)[first]
            entries = np.concatenate([_without(entries, keys), used(held)])
        # What has moved since the begin is in both, and what came again before it is newer in the table.
        old = np.concatenate([empty(0), *self._old_parts])
        entries = np.concatenate([entries, _without(old, np.sort(entries[:, KEY]))])
        return {
            "admitted": entries[alive(entries, self._clock, self._horizon)],
            "clock": self._clock.copy(),
            "horizon": np.array([self._horizon], dtype=np.int64),
        }


def _without(entries: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the entries of other keys than these, which are sorted. (``np.isin`` keeps the stream's thread from running for
    longer.)"""
    if not len(keys):
        return entries
    nearest = np.minimum(np.searchsorted(keys, entries[:, KEY]), len(keys) - 1)
    others: NDArray[np.int64] = entries[keys[nearest] != entries[:, KEY]]
    return others
