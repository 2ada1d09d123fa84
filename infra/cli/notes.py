"""Notes of a publication that goes on: how far it came, on the disk while it runs and in words where it stops."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from features.base.active import WORDS
from infra.cli import context
from infra.cli.publication import Begin, when
from infra.platform import publications
from streams.kafka.end_offsets import Ends
from streams.publish.report import Reached
from streams.topics import EVENTS, LABELS

if TYPE_CHECKING:
    from features.base.settings import Settings
    from streams.publish.publisher import Publisher

#: After an interrupt, what is on its way is waited for so long.
_LAST_PATIENCE_S = 10.0
#: How far it came is written no more often than this: what came behind it is read from the topics where it matters.
_NOTE_EVERY_S = 1.0


class Notes:
    """Keeps how far a publication came, and says it where it stops."""

    def __init__(self, settings: Settings, begun: Begin) -> None:
        self._ends = Ends(settings, 10.0, log_level=0)
        self._begun = begun
        self._publication = begun.kept.publication
        self._before = self._publication.events, self._publication.labels
        self._noted_s = 0.0
        self.publisher: Publisher | None = None

    def first(self) -> None:
        """Note that it runs, before its first record."""
        if not self._begun.after_ms:
            self._note_ends()
        self._begun.kept.write()

    def take(self, reached: Reached) -> None:
        """Note what was acknowledged, once a second at most."""
        self._count(reached)
        if time.monotonic() - self._noted_s >= _NOTE_EVERY_S and reached.up_to_ms is not None:
            self._publication.up_to_ms = max(reached.up_to_ms, self._publication.up_to_ms)
            self._note_ends()
            self._begun.kept.write()
            self._noted_s = time.monotonic()

    def last(self, state: publications.State) -> None:
        """Note how it ended."""
        reached = self._reached(0.0)
        if reached.up_to_ms is not None and reached.up_to_ms > self._publication.up_to_ms:
            self._publication.up_to_ms = reached.up_to_ms
        self._count(reached)
        self._publication.state = state
        self._begun.kept.write()

    def drained(self) -> None:
        """Note that no label is owed any more."""
        self._publication.owed_from_ms = max(self._reached(0.0).up_to_ms or 0, self._publication.up_to_ms)

    def stopped(self) -> str:
        """Note that it stopped; return how far it came and the way to go on, as the rest of a sentence."""
        reached = self._reached(_LAST_PATIENCE_S)
        total = self._before[0] + reached.events, self._before[1] + reached.labels
        # Of a run that was killed nobody knows what came behind its last note, so its file stays.
        if reached.exact and not any(total) and not self._begun.after_ms:
            self._begun.kept.forget()
            return ". Nothing was published: the same command may be given again"
        self.last("stopped")
        least = "" if reached.exact and not self._begun.was_killed else "at least "
        return (
            f". It came as far as {when(self._publication.up_to_ms)} in event time: {least}{total[0]:,} {WORDS.events} "
            f"and {total[1]:,} labels are published. Go on exactly there with {context.called_with('--resume')}"
        )

    def _reached(self, patience_s: float) -> Reached:
        return self.publisher.reached(patience_s) if self.publisher is not None else Reached()

    def _count(self, reached: Reached) -> None:
        self._publication.events = self._before[0] + reached.events
        self._publication.labels = self._before[1] + reached.labels

    def _note_ends(self) -> None:
        partitions = {name: self._ends.admin.list_topics(name, timeout=10.0).topics[name].partitions for name in (EVENTS, LABELS)}
        ends = self._ends.read((name, p) for name, numbers in partitions.items() for p in numbers)
        self._publication.ends = {name: {p: ends[name, p] for p in numbers} for name, numbers in partitions.items()}
