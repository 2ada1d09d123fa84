"""When a retrain request may be made: not twice for the same thing, and not while an answer is on its way."""

from __future__ import annotations

from dataclasses import dataclass

from features.base.durations import DAY_MS
from features.base.events import Cause, ModelEvent

#: Event time after which the same request is made again under a new key, if nothing came of the one before.
AGAIN_MS: dict[Cause, int] = {"no_champion": 3 * DAY_MS, "concept_drift": 5 * DAY_MS, "data_drift": 7 * DAY_MS}
#: A declined request may be made again sooner: mostly there were too few labels, or the last run was too recent.
DECLINED_AGAIN_MS = DAY_MS
#: A run that has not ended after this long in event time is taken for dead.
RUN_LOST_MS = 10 * DAY_MS

_OPEN = frozenset({"requested", "running", "registered", "shadow", "canary"})


@dataclass
class _Asked:
    at_ms: int
    key: str
    declined: bool = False


class Asking:
    """Remembers what was asked for which version, and whether a run is under way."""

    def __init__(self) -> None:
        self._asked: dict[tuple[Cause, str | None], _Asked] = {}
        self._open_since_ms: int | None = None
        self._open_key: str | None = None
        self._keys: set[str] = set()

    def see(self, event: ModelEvent) -> None:
        """Take an event from model-events."""
        if event.state == "rollback_requested":
            return
        if event.idempotency_key is not None:
            self._keys.add(event.idempotency_key)
        if event.state == "declined":
            for asked in self._asked.values():
                asked.declined = asked.declined or asked.key == event.idempotency_key
            if event.idempotency_key != self._open_key:
                # Another request was declined, mostly because the open one runs.
                return
        if event.state not in _OPEN:
            self._open_since_ms = self._open_key = None
        elif self._open_since_ms is None:
            self._open_since_ms, self._open_key = event.event_time_ms, event.idempotency_key

    def numbered(self, stem: str) -> str:
        """Return the first of ``stem``-1, ``stem``-2, ... that was never asked with."""
        number = 1
        while f"{stem}-{number}" in self._keys:
            number += 1
        return f"{stem}-{number}"

    def may(self, cause: Cause, version: str | None, now_ms: int) -> bool:
        """Tell whether to ask now."""
        # Not open yet at its own request's time: a replayed log meets the run's events before the windows that asked for it.
        if self._open_since_ms is not None and 0 < now_ms - self._open_since_ms < RUN_LOST_MS:
            return False
        asked = self._asked.get((cause, version))
        if asked is None:
            return True
        return now_ms - asked.at_ms >= (DECLINED_AGAIN_MS if asked.declined else AGAIN_MS[cause])

    def note(self, cause: Cause, version: str | None, now_ms: int, key: str) -> None:
        """Note that it was asked."""
        self._keys.add(key)
        self._asked[cause, version] = _Asked(now_ms, key)
