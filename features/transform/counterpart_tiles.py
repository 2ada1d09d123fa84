"""Counterpart tiles: outcomes and positives of a counterpart by hour, and what is read from them as of an event.

Tiles are int64 [k, 4], one row for each hour with an outcome, ascending: ``hour`` (``event_time_ms // 3_600_000`` of the
transactions), ``n`` outcomes, ``f`` positives among them, ``u`` positives among those whose measure was normal for their subject,
so that the subject's own behaviour does not explain them. Counting is commutative: the same first outcomes give the same tiles
in any order.

An event at time t sees the hours before its horizon: ``t - delay``, rounded down to a whole ``step`` of hours (a multiple of
the step since 1970). All outcomes before the horizon are known by then, if labels come within the delay, so stream and batch
read the same values at any time after it, and outcomes that come later change nothing: nothing here goes stale.

- A window of d days holds the ``24 d`` hours before the horizon.
- Newest label, days since the newest positive and negative outcome, and the run of positives look back 60 days. They go by whole
  hours: positives and negative ones of one hour have no order, and an hour that has both ends a run.

How outcomes count: one that is not late, ``n += 1``, and ``f += 1`` if it is positive. A late one corrects what its transaction
counted as: positive gives ``f += 1`` (never above n), negative takes back what the positive one had added, in the hour where it
was added. The positives that are in the tiles are remembered by their ids, so that a correction that comes again, or one of an
event that is not in the tiles, changes nothing. Tiles of before a correction stay what they were: a row of theirs is what was
known then.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled, compiled_cached
from features.base.events import Outcome
from features.catalogue.windows import COUNTERPART_DAYS, COUNTERPART_LOOKBACK_DAYS, HOUR_MS

#: [hour, outcomes, positives, unexplained positives] a row.
Tiles = NDArray[np.int64]
COLUMNS = 4
_WINDOW_HOURS = np.array([24 * days for days in COUNTERPART_DAYS], dtype=np.int64)
_LOOKBACK_HOURS = 24 * COUNTERPART_LOOKBACK_DAYS
LAST_LABEL, SINCE_POSITIVE, SINCE_NEGATIVE, RUN, RUN_DAYS = range(5)


def empty() -> Tiles:
    """Return the tiles of an unknown counterpart."""
    return np.zeros((0, COLUMNS), dtype=np.int64)


def horizon_hour(time_ms: int, delay_ms: int, step_hours: int) -> int:
    """Return the first hour that an event at ``time_ms`` does not see."""
    hour = (time_ms - delay_ms) // HOUR_MS
    return hour - hour % step_hours


@dataclass(slots=True)
class Counterpart:
    """What is kept of one counterpart: its tiles, by hour in ``hours``, and the newest outcome time in them (never going
    back). ``positives``: by event id, the hour that counts it and what it adds to ``u`` there."""

    hours: list[int] = field(default_factory=list)
    counts: list[list[int]] = field(default_factory=list)
    as_of_ms: int = 0
    positives: dict[str, tuple[int, bool]] = field(default_factory=dict)

    @property
    def tiles(self) -> Tiles:
        """Return int64 [k, 4]."""
        if not self.hours:
            return empty()
        return np.column_stack([np.array(self.hours, dtype=np.int64), np.array(self.counts, dtype=np.int64)])

    def add(self, event_id: str, event_time_ms: int, positive: bool, unusual: bool | None = None, late: bool = False) -> None:
        """Count one outcome. ``unusual``: whether the measure was unusual for its subject; not known (None) counts as unusual."""
        if late and positive == (event_id in self.positives):
            return
        if late and not positive:
            hour, unexplained = self.positives.pop(event_id)
            self._count(hour, 0, -1, -unexplained)
            return
        hour, unexplained = event_time_ms // HOUR_MS, positive and unusual is False
        if self._count(hour, not late, positive, unexplained) and positive:
            self.positives[event_id] = hour, unexplained

    def _count(self, hour: int, outcomes: int, positives: int, unexplained: int) -> bool:
        """Add to the tile of an hour; tell whether it was done: a correction makes no tile, nor more positives than outcomes."""
        at = bisect.bisect_left(self.hours, hour)
        if at == len(self.hours) or self.hours[at] != hour:
            if not outcomes:
                return False
            self.hours.insert(at, hour)
            self.counts.insert(at, [0, 0, 0])
        counts = self.counts[at]
        if counts[1] + positives > counts[0] + outcomes:
            return False
        counts[0] += outcomes
        counts[1] += positives
        counts[2] += unexplained
        return True

    def forget(self, before_hour: int) -> None:
        """Drop the tiles of the hours before ``before_hour``."""
        old = bisect.bisect_left(self.hours, before_hour)
        if old:
            del self.hours[:old]
            del self.counts[:old]
            self.positives = {name: counted for name, counted in self.positives.items() if counted[0] >= before_hour}


def keep_hours(delay_ms: int) -> int:
    """Return for how many hours before a counterpart's newest tile its tiles are kept: lookback, delay, two days for late events
    and steps."""
    return _LOOKBACK_HOURS + math.ceil(delay_ms / HOUR_MS) + 48


def update(state: dict[str, Counterpart], outcomes: Iterable[Outcome], keep: int | None = None) -> set[str]:
    """Count outcomes into ``state``, in place; return the counterparts that were touched.

    ``keep``: ``keep_hours``, None for all.
    """
    touched = set()
    for outcome in outcomes:
        counterpart = state.get(outcome.counterpart)
        if counterpart is None:
            counterpart = state[outcome.counterpart] = Counterpart()
        counterpart.add(outcome.event_id, outcome.event_time_ms, outcome.positive, outcome.unusual, outcome.late)
        counterpart.as_of_ms = max(counterpart.as_of_ms, outcome.outcome_time_ms)
        if keep is not None and counterpart.hours:
            counterpart.forget(counterpart.hours[-1] - keep)
        touched.add(outcome.counterpart)
    return touched


class Known(NamedTuple):
    """What is known of a counterpart as of an event: by window (COUNTERPART_DAYS), and ``rest`` at the places named above."""

    outcomes: NDArray[np.int64]
    positives: NDArray[np.int64]
    unexplained: NDArray[np.int64]
    rest: NDArray[np.float64]


def new_known() -> Known:
    """Make room for one reading."""
    n = _WINDOW_HOURS.shape[0]
    return Known(np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(5, np.float64))


def as_of(tiles: Tiles, event_time_ms: int, delay_ms: int, step_hours: int) -> Known:
    """Return what ``read`` finds for one event, by the names of ``settings.labels``."""
    known: Known = new_known()
    _read_one(tiles, horizon_hour(event_time_ms, delay_ms, step_hours), known)
    return known


@compiled_cached
def _read_one(tiles: Tiles, horizon: int, t: Known) -> None:
    read(tiles, 0, tiles.shape[0], horizon, t)


@compiled
def read(tiles: Tiles, begin: int, end: int, horizon: int, t: Known) -> None:
    """Fill ``t`` from the tiles in rows ``[begin, end)`` for an event whose horizon is the hour ``horizon``."""
    rest = t.rest
    rest[LAST_LABEL] = rest[SINCE_POSITIVE] = rest[SINCE_NEGATIVE] = -1.0
    rest[RUN] = rest[RUN_DAYS] = 0.0
    j = end - 1
    while j >= begin and tiles[j, 0] >= horizon:
        j -= 1
    if j >= begin and tiles[j, 0] >= horizon - _LOOKBACK_HOURS:
        rest[LAST_LABEL] = tiles[j, 2] / tiles[j, 1]
    outcomes = positives = unexplained = 0
    running = True
    k = 0
    while k < _WINDOW_HOURS.shape[0]:
        if j >= begin and tiles[j, 0] >= horizon - _WINDOW_HOURS[k]:
            outcomes += tiles[j, 1]
            positives += tiles[j, 2]
            unexplained += tiles[j, 3]
            running = _remember(tiles, j, horizon, running, rest)
            j -= 1
        else:
            t.outcomes[k], t.positives[k], t.unexplained[k] = outcomes, positives, unexplained
            k += 1
    while j >= begin and tiles[j, 0] >= horizon - _LOOKBACK_HOURS and (running or rest[SINCE_POSITIVE] < 0.0):
        running = _remember(tiles, j, horizon, running, rest)
        j -= 1


@compiled
def _remember(tiles: Tiles, j: int, horizon: int, running: bool, rest: NDArray[np.float64]) -> bool:
    """Take tile ``j`` into the newest positive, negative one and run; tiles come newest first. Whether the run goes on."""
    days = (horizon - tiles[j, 0]) / 24.0
    if tiles[j, 2] > 0 and rest[SINCE_POSITIVE] < 0.0:
        rest[SINCE_POSITIVE] = days
    if tiles[j, 2] < tiles[j, 1]:
        if rest[SINCE_NEGATIVE] < 0.0:
            rest[SINCE_NEGATIVE] = days
        return False
    if running:
        rest[RUN] += tiles[j, 2]
        rest[RUN_DAYS] = days
    return running
