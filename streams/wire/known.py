"""The schemas that are known by their ids: in memory, in the store beside the snapshots, else at the registry.

An id stands for one schema for ever, so a known one needs no registry. An unknown one is asked for again for some seconds before
it is given up (a registry that follows another one is a little behind), then not at once again.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from uuid import UUID

import msgspec

from features.base.settings import SettingsError
from features.base.storage import Store
from streams.wire.errors import RegistryAway, UnknownSchema
from streams.wire.registry import Registered, Source

log = logging.getLogger(__name__)

Key = int | UUID
#: Waits so many seconds; may raise to end the batch in hand.
Wait = Callable[[float], None]

#: Pauses before an unknown id is asked for again; within ``_BUDGET_S`` of wall time so many seconds are spent on all ids.
_PAUSES_S = (0.2, 0.5, 1.0, 1.5)
_BUDGET_S = 60.0
#: How long an id that was given up is not asked for again.
GIVEN_UP_S = 10.0
#: A producer of noise must not keep the registry busy: so many unknown ids are asked for within ``_BUDGET_S``.
_MOST_UNKNOWN = 100
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
#: So long a log that is read again waits for a registry that is away; then its process ends, and is started anew.
AGAIN_S = 30.0


class _Kept(msgspec.Struct, frozen=True):
    """``url``: of the registry that said so."""

    url: str
    registered: Registered


class Known:
    """See the module. ``source``: None where there is no registry. ``wait``: how to wait for it; ``again_s``: how long a log that
    is read again waits."""

    def __init__(
        self,
        source: Source | None,
        store: Store,
        wait: Wait = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        again_s: float = AGAIN_S,
    ) -> None:
        self._again_s = again_s
        self._source, self._store, self._clock = source, store, clock
        self.wait = wait
        #: What is waited for, in words; empty: nothing.
        self.waits_for = ""
        self._by_key: dict[Key, Registered] = {}
        #: By whether a log was read again, for there another member's newer answer may count, and by id.
        self._given_up: dict[tuple[bool, Key], tuple[float, UnknownSchema]] = {}
        self._spent_at: deque[float] = deque()
        self._unknown_at: deque[float] = deque()

    def get(self, key: Key, *, again: bool) -> Registered:
        """Return a schema. ``again``: for a log that is read again, where nobody may wait long.

        Raises UnknownSchema; RegistryAway only where ``again``; SettingsError where the id stood for another schema before.
        """
        known = self._by_key.get(key)
        if known is None:
            known = self._by_key[key] = self._look(key, again)
        return known

    def forget(self) -> None:
        """Ask again for what was given up."""
        self._given_up.clear()

    def _look(self, key: Key, again: bool) -> Registered:
        kept = self._kept(key)
        if self._source is None:
            if kept is None:
                raise UnknownSchema(f"the value names schema {key}, and schema_registry.url is empty; name the registry there")
            return kept.registered
        if kept is not None and kept.url == self._source.url:
            return kept.registered
        fresh = self._asked(self._source, key, again)
        if kept is not None and kept.registered != fresh:
            raise SettingsError(
                f"schema_registry.url: at {self._source.url} schema {key} is another one than at {kept.url}, and records of "
                "both would be read wrong; go back to that registry, or begin anew in another --dir with topics of its own"
            )
        self._keep(key, _Kept(self._source.url, fresh))
        return fresh

    def _asked(self, source: Source, key: Key, again: bool) -> Registered:
        """Ask the registry, however long it is away."""
        self._refuse_given_up(key, again)
        pauses, away_s, pause = iter(_PAUSES_S), 0.0, _FIRST_PAUSE_S
        try:
            while True:
                try:
                    return source.fetch(key)
                except UnknownSchema as error:
                    # Said by one answer where no time is left for more.
                    following = None if again else next(pauses, None)
                    if following is None or not self._may_spend(following):
                        self._give_up(key, again, error)
                        raise
                    self.wait(following)
                except RegistryAway as error:
                    if again and away_s >= self._again_s:
                        raise
                    if not self.waits_for:
                        self.waits_for = str(error)
                        log.warning("waits for a schema: %s", error)
                    (time.sleep if again else self.wait)(pause)
                    away_s += pause
                    pause = min(2 * pause, _LONGEST_PAUSE_S)
        finally:
            self.waits_for = ""

    def _refuse_given_up(self, key: Key, again: bool) -> None:
        now_s = self._clock()
        until_s, error = self._given_up.get((again, key), (0.0, None))
        if error is not None and now_s < until_s:
            raise UnknownSchema(str(error))
        while self._unknown_at and self._unknown_at[0] < now_s - _BUDGET_S:
            self._unknown_at.popleft()
        if len(self._unknown_at) >= _MOST_UNKNOWN:
            raise UnknownSchema(
                f"schema {key} was not asked for: {_MOST_UNKNOWN} unknown ids came within {_BUDGET_S:.0f} s;"
                " once that ends, driftloop dlq replay sends the record again"
            )

    def _give_up(self, key: Key, again: bool, error: UnknownSchema) -> None:
        now_s = self._clock()
        for old in [old for old, (until_s, _) in self._given_up.items() if until_s <= now_s]:
            del self._given_up[old]
        self._given_up[again, key] = (now_s + GIVEN_UP_S, error)
        self._unknown_at.append(now_s)

    def _may_spend(self, seconds: float) -> bool:
        """Tell whether there is time to ask once more; it counts as spent."""
        now_s = self._clock()
        while self._spent_at and self._spent_at[0] < now_s - _BUDGET_S:
            self._spent_at.popleft()
        # Each entry is one pause; as many as one id may take are taken within the budget's time.
        if len(self._spent_at) >= len(_PAUSES_S):
            return False
        self._spent_at.append(now_s + seconds)
        return True

    def _kept(self, key: Key) -> _Kept | None:
        try:
            return msgspec.json.decode(self._store.read(_name(key)), type=_Kept)
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever a file system raises, or a file that was cut off: the registry knows it, too
            log.warning("%s cannot be read and is asked for again: %s", _name(key), type(error).__name__)
            return None

    def _keep(self, key: Key, kept: _Kept) -> None:
        try:
            self._store.write(_name(key), msgspec.json.encode(kept))
        except Exception as error:  # a full disk, say: the stream goes on, and a restart asks again
            log.error("schema %s could not be kept: %s", key, error)  # noqa: TRY400


def _name(key: Key) -> str:
    return f"{'guids' if isinstance(key, UUID) else 'ids'}/{key}.json"
