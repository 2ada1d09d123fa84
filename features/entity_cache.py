"""A bounded memory of rows by entity; those used longest ago go first."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

V = TypeVar("V")


class Entry(NamedTuple, Generic[V]):
    """What was read of one entity: ``value`` of event time ``time_ms`` (None and 0 where there was no row); and when: at
    ``read_s`` of a monotonic clock, for events up to ``read_ms`` of event time.
    """

    value: V | None
    time_ms: int
    read_s: float
    read_ms: int


class EntityCache(Generic[V]):
    """At most ``most`` entries. Not for use by several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: dict[str, Entry[V]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def recall(self, ids: Iterable[str]) -> dict[str, Entry[V]]:
        """The entries of those ``ids`` that are known. They count as used."""
        entries = self._entries
        found = {}
        for entity in ids:
            entry = entries.pop(entity, None)
            if entry is not None:
                entries[entity] = found[entity] = entry  # to the end: a dict keeps the order of insertion
        return found

    def keep(self, fresh: Mapping[str, Entry[V]]) -> None:
        """Remember ``fresh``, also that there was no row, and forget what is too much."""
        entries = self._entries
        for entity, entry in fresh.items():
            entries.pop(entity, None)
            entries[entity] = entry
        for entity in list(itertools.islice(entries, max(0, len(entries) - self._most))):
            del entries[entity]
