"""Profiles for a micro-batch: from memory while that is fresh, else from the online store, else the last known ones.

- **Cache.** What was read of an entity answers for ``feast.cache_s`` of wall time and ``feast.cache_event_s`` of event time, so
  that a hot subject or counterpart does not cost Redis a row a batch. ``feast.cache_entities`` bounds both kinds, busy
  counterparts counting for more; what was used longest ago goes first.
- **Store away or slow.** The batch is answered from memory, however old, and marked as degraded; the store is left alone for a
  second, so that one time-out is not paid by every batch. Rows that the store has lost count as missing, not as degraded.
- **Age, in event time.** Rows older than the event by more than their maximum age count as missing, as they do in Feast's joins
  (``ttl``). So do owner profiles that are newer than the event by more than their lead: they know its future. Tiles hold
  their history and are read as of the event, so newer ones tell nothing of its future and are used; one label with a wrong
  clock would else blind a counterpart for good. All of these are counted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter

from features.base import view_names
from features.base.feast_settings import Feast
from features.online.age_limits import counterpart_limits, owner_limits
from features.online.cache import CounterpartRows, OwnerRows
from features.online.store import ProfilesUnavailable
from features.transform.profiles import Profiles, unknown

log = logging.getLogger(__name__)

#: After a failed read the store is left alone for this long.
RETRY_AFTER_S = 1.0

LOOKUPS = Counter("driftloop_profile_lookups_total", "Entities looked up, by where the answer came from", ["view", "source"])
MISDATED = Counter(
    "driftloop_profiles_misdated_total",
    "Events whose profile was stale (it counted as missing) or of the future (a subject's did, a counterpart's was used)",
    ["view", "reason"],
)
UNAVAILABLE = Counter("driftloop_profile_reads_failed_total", "Reads that the online store did not answer, or not in time")

_OWNER, _COUNTERPART = view_names.PROFILE, view_names.RISK


class Source(Protocol):
    """What reads profiles: ``features.online.store.ProfileReader``. Raises ProfilesUnavailable."""

    def read(self, subjects: Sequence[str], counterparts: Sequence[str]) -> Profiles:
        """Read profiles: row i of the owners is of ``subjects[i]``, row j of the counterparts of ``counterparts[j]``."""
        ...


@dataclass(frozen=True, slots=True)
class Read:
    """Profiles aligned with the batch; ``degraded``: some from memory, because the store did not answer."""

    profiles: Profiles
    degraded: bool


class Reader:
    """Reads profiles, judges their age, and never raises ProfilesUnavailable. Not for use by several threads."""

    def __init__(self, source: Source, rules: Feast | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        rules = rules or Feast()
        self._source = source
        self._clock = clock
        self._cache_s = rules.cache_s
        self._cache_ms = int(rules.cache_event_s * 1000)
        self._owners = OwnerRows(rules.cache_entities)
        self._counterparts = CounterpartRows(rules.cache_entities)
        self._owner_limits = owner_limits(rules)
        self._counterpart_limits = counterpart_limits(rules)
        self._retry_at = -np.inf

    def read(self, subjects: Sequence[str], counterparts: Sequence[str], event_time_ms: NDArray[np.int64]) -> Read:
        """Read profiles of n transactions, in their order; ids may repeat. ``event_time_ms`` int64 [n]."""
        if not len(event_time_ms):
            return Read(unknown(0), degraded=False)
        clock_s, at = self._clock(), int(event_time_ms.max())
        distinct_subjects, subject_row = _unique(subjects)
        places, place_row = _unique(counterparts)
        owners, distinct_counterparts = self._owners.slots(distinct_subjects), self._counterparts.slots(places)
        old_subjects = np.flatnonzero(~self._owners.fresh(owners, clock_s, at, self._cache_s, self._cache_ms))
        old_places = np.flatnonzero(~self._counterparts.fresh(distinct_counterparts, clock_s, at, self._cache_s, self._cache_ms))
        answered = True
        if len(old_subjects) or len(old_places):
            answer = self._ask(
                [distinct_subjects[i] for i in old_subjects.tolist()], [places[i] for i in old_places.tolist()], clock_s
            )
            answered = answer is not None
            if answer is not None:
                self._owners.put(owners[old_subjects], answer, clock_s, at)
                self._counterparts.put(distinct_counterparts[old_places], answer, clock_s, at)
        _count_lookups(_OWNER, len(distinct_subjects), len(old_subjects), answered)
        _count_lookups(_COUNTERPART, len(places), len(old_places), answered)
        profiles = self._aligned(owners[subject_row], distinct_counterparts, place_row)
        self._owners.trim()
        self._counterparts.trim()
        return Read(self._judged(profiles, event_time_ms), degraded=not answered)

    def _ask(self, subjects: list[str], places: list[str], clock_s: float) -> Profiles | None:
        """Return what the store says; None where it does not answer, or failed less than a moment ago."""
        if clock_s < self._retry_at:
            return None
        try:
            return self._source.read(subjects, places)
        except ProfilesUnavailable as error:
            log.warning("scores are degraded: %s", error)
            UNAVAILABLE.inc()
            self._retry_at = self._clock() + RETRY_AFTER_S
            return None

    def _aligned(self, owners: NDArray[np.int64], counterparts: NDArray[np.int64], place_row: NDArray[np.int64]) -> Profiles:
        """Return rows of slots, as copies: ``owners`` in the order of the batch, ``counterparts[place_row]`` likewise."""
        end = np.cumsum(self._counterparts.sizes[counterparts])
        begin = end - self._counterparts.sizes[counterparts]
        return Profiles(
            self._owners.owner[owners],
            self._owners.usual[owners],
            self._owners.time_ms[owners],
            np.concatenate([self._counterparts.tiles[slot] for slot in counterparts.tolist()]),
            begin[place_row],
            end[place_row],
            self._counterparts.time_ms[counterparts[place_row]],
        )

    def _judged(self, profiles: Profiles, event_time_ms: NDArray[np.int64]) -> Profiles:
        """Return ``profiles`` without the rows that are too old or know too much."""
        stale, future = self._owner_limits.judge(profiles.owner_ts_ms, event_time_ms)
        _count_misdated(_OWNER, stale, future)
        out = stale | future
        profiles.owner[out] = np.nan
        profiles.usual[out] = 0
        profiles.owner_ts_ms[out] = 0
        stale, future = self._counterpart_limits.judge(profiles.counterpart_ts_ms, event_time_ms)
        _count_misdated(_COUNTERPART, stale, future)
        profiles.end[stale] = profiles.begin[stale]
        profiles.counterpart_ts_ms[stale] = 0
        return profiles


def _count_misdated(view: str, stale: NDArray[np.bool_], future: NDArray[np.bool_]) -> None:
    for reason, rows in (("stale", stale), ("future", future)):
        if rows.any():
            MISDATED.labels(view, reason).inc(int(rows.sum()))


def _count_lookups(view: str, entities: int, asked: int, answered: bool) -> None:
    LOOKUPS.labels(view, "cache").inc(entities - asked)
    LOOKUPS.labels(view, "store" if answered else "memory").inc(asked)


def _unique(ids: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the different ids, and the place among them of each."""
    places = {entity: i for i, entity in enumerate(dict.fromkeys(ids))}
    return list(places), np.fromiter(map(places.__getitem__, ids), dtype=np.int64, count=len(ids))
