"""Profiles for a micro-batch: from memory while that is fresh, else from the online store, else the last known ones.

- **Cache.** What was read of an entity answers for ``feast.cache_s`` of wall time and ``feast.cache_event_s`` of event time, so
  that a hot card or terminal does not cost Redis a row a batch. Both kinds are bounded by ``feast.cache_entities``; what was used
  longest ago goes first.
- **Store away or slow.** The batch is answered from memory, however old, and marked as degraded; the store is left alone for a
  second, so that one time-out is not paid by every batch. Rows that the store has lost count as missing, not as degraded.
- **Age, in event time.** Rows older than the event by more than their maximum age count as missing, as they do in Feast's joins
  (``ttl``). So do customer profiles that are newer than the event by more than their lead: they know its future. Tiles hold
  their history and are read as of the event, so newer ones tell nothing of its future and are used; one label with a wrong
  clock would else blind a terminal for good. All of these are counted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter

from features.ages import customer_limits, terminal_limits
from features.entity_cache import EntityCache, Entry
from features.feast_settings import Feast
from features.online import ProfilesUnavailable
from features.profiles import Profiles, unknown
from features.terminal_tiles import Tiles, empty

log = logging.getLogger(__name__)

#: profile and usual of a customer.
Customer: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64]]

#: After a failed read the store is left alone for this long.
RETRY_AFTER_S = 1.0

LOOKUPS = Counter("driftloop_profile_lookups_total", "Entities looked up, by where the answer came from", ["view", "source"])
MISDATED = Counter(
    "driftloop_profiles_misdated_total",
    "Transactions whose profile was stale (it counted as missing) or of the future (a customer's did, a terminal's was used)",
    ["view", "reason"],
)
UNAVAILABLE = Counter("driftloop_profile_reads_failed_total", "Reads that the online store did not answer, or not in time")

_CUSTOMER, _TERMINAL = "customer_profile", "terminal_risk"


class Source(Protocol):
    """What reads profiles: ``features.online.ProfileReader``. Raises ProfilesUnavailable."""

    def read(self, card_ids: Sequence[str], terminal_ids: Sequence[str]) -> Profiles:
        """Row i of the customers is of ``card_ids[i]``, row j of the terminals of ``terminal_ids[j]``."""
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
        self._customers: EntityCache[Customer] = EntityCache(rules.cache_entities)
        self._terminals: EntityCache[Tiles] = EntityCache(rules.cache_entities)
        self._customer_limits = customer_limits(rules)
        self._terminal_limits = terminal_limits(rules)
        self._retry_at = -np.inf

    def read(self, card_ids: Sequence[str], terminal_ids: Sequence[str], event_time_ms: NDArray[np.int64]) -> Read:
        """Profiles of n transactions, in their order; ids may repeat. ``event_time_ms`` int64 [n]."""
        if not len(event_time_ms):
            return Read(unknown(0), degraded=False)
        now, at = self._clock(), int(event_time_ms.max())
        customers = self._customers.recall(dict.fromkeys(card_ids))
        terminals = self._terminals.recall(dict.fromkeys(terminal_ids))
        cards = [card for card in dict.fromkeys(card_ids) if not self._is_fresh(customers.get(card), now, at)]
        places = [place for place in dict.fromkeys(terminal_ids) if not self._is_fresh(terminals.get(place), now, at)]
        answered = True
        if cards or places:
            answered = self._ask(cards, places, now, at, customers, terminals)
        _count(_CUSTOMER, len(set(card_ids)), len(cards), answered)
        _count(_TERMINAL, len(set(terminal_ids)), len(places), answered)
        profiles = _aligned(card_ids, terminal_ids, customers, terminals)
        return Read(self._judged(profiles, event_time_ms), degraded=not answered)

    def _is_fresh(self, entry: Entry[Any] | None, now: float, at: int) -> bool:
        return entry is not None and now - entry.read_s < self._cache_s and abs(at - entry.read_ms) <= self._cache_ms

    def _ask(
        self,
        cards: list[str],
        places: list[str],
        now: float,
        at: int,
        customers: dict[str, Entry[Customer]],
        terminals: dict[str, Entry[Tiles]],
    ) -> bool:
        """Read ``cards`` and ``places`` from the store into the entries of the batch; whether it answered."""
        if now < self._retry_at:
            return False
        try:
            found = self._source.read(cards, places)
        except ProfilesUnavailable as error:
            log.warning("scores are degraded: %s", error)
            UNAVAILABLE.inc()
            self._retry_at = self._clock() + RETRY_AFTER_S
            return False
        # Copies: a view would keep the whole batch in memory.
        fresh = {
            card: Entry((found.customer[i].copy(), found.usual[i].copy()) if time_ms else None, time_ms, now, at)
            for i, (card, time_ms) in enumerate(zip(cards, found.customer_ts_ms.tolist(), strict=True))
        }
        rows = zip(places, found.terminal_ts_ms.tolist(), found.begin.tolist(), found.end.tolist(), strict=True)
        fresh_tiles = {
            place: Entry(found.tiles[begin:end].copy() if time_ms else None, time_ms, now, at)
            for place, time_ms, begin, end in rows
        }
        customers |= fresh
        terminals |= fresh_tiles
        self._customers.keep(fresh)
        self._terminals.keep(fresh_tiles)
        return True

    def _judged(self, profiles: Profiles, event_time_ms: NDArray[np.int64]) -> Profiles:
        """``profiles`` without the rows that are too old or know too much."""
        stale, future = self._customer_limits.judge(profiles.customer_ts_ms, event_time_ms)
        _count_misdated(_CUSTOMER, stale, future)
        out = stale | future
        profiles.customer[out] = np.nan
        profiles.usual[out] = 0
        profiles.customer_ts_ms[out] = 0
        stale, future = self._terminal_limits.judge(profiles.terminal_ts_ms, event_time_ms)
        _count_misdated(_TERMINAL, stale, future)
        profiles.end[stale] = profiles.begin[stale]
        profiles.terminal_ts_ms[stale] = 0
        return profiles


def _count_misdated(view: str, stale: NDArray[np.bool_], future: NDArray[np.bool_]) -> None:
    for reason, rows in (("stale", stale), ("future", future)):
        if rows.any():
            MISDATED.labels(view, reason).inc(int(rows.sum()))


def _count(view: str, entities: int, asked: int, answered: bool) -> None:
    LOOKUPS.labels(view, "cache").inc(entities - asked)
    LOOKUPS.labels(view, "store" if answered else "memory").inc(asked)


def _aligned(
    card_ids: Sequence[str],
    terminal_ids: Sequence[str],
    customers: dict[str, Entry[Customer]],
    terminals: dict[str, Entry[Tiles]],
) -> Profiles:
    """The entries as arrays in the order of the batch; its own, to be changed."""
    cards = {card: i for i, card in enumerate(dict.fromkeys(card_ids))}
    known = unknown(len(cards))
    customer_ts = np.zeros(len(cards), dtype=np.int64)
    for card, i in cards.items():
        entry = customers.get(card)
        if entry is not None and entry.value is not None:
            known.customer[i], known.usual[i] = entry.value
            customer_ts[i] = entry.time_ms
    places = {place: i for i, place in enumerate(dict.fromkeys(terminal_ids))}
    parts = [empty()]
    begin = np.zeros(len(places), dtype=np.int64)
    end = np.zeros(len(places), dtype=np.int64)
    terminal_ts = np.zeros(len(places), dtype=np.int64)
    rows = 0
    for place, i in places.items():
        tiles = terminals.get(place)
        if tiles is not None and tiles.value is not None:
            parts.append(tiles.value)
            begin[i], rows = rows, rows + len(tiles.value)
            end[i] = rows
            terminal_ts[i] = tiles.time_ms
    card_row = np.fromiter((cards[card] for card in card_ids), dtype=np.int64, count=len(card_ids))
    place_row = np.fromiter((places[place] for place in terminal_ids), dtype=np.int64, count=len(terminal_ids))
    return Profiles(
        known.customer[card_row],
        known.usual[card_row],
        customer_ts[card_row],
        np.concatenate(parts),
        begin[place_row],
        end[place_row],
        terminal_ts[place_row],
    )
