"""What was done about dead letters: the topic ``dlq-handled``, read from its beginning."""

from __future__ import annotations

from dataclasses import dataclass, field

from features.archive import generations, stores
from features.archive.generations import Generations
from features.base.events import HandledLetter
from features.base.settings import Settings
from infra.inspect import show, tail
from infra.inspect.decode import decoder
from infra.inspect.tail import UnknownTopic
from streams.topics import DLQ_HANDLED


@dataclass(frozen=True, slots=True)
class Done:
    """One letter's end; ``at_ms``: when (wall time)."""

    at_ms: int
    what: HandledLetter

    def __str__(self) -> str:
        reason = f": {self.what.reason}" if self.what.reason else ""
        return f"{self.what.action} {show.when(self.at_ms)}{reason}"


#: Where a record came from: generation of the log, topic, partition, offset.
Source = tuple[int, str, int, int]


@dataclass(slots=True)
class Handled:
    """All letters that something was done about. Memory: about 0.5 kB each."""

    by_place: dict[tuple[int, int], Done] = field(default_factory=dict)
    #: Records that were sent again, by where they came from.
    sent: set[Source] = field(default_factory=set)
    generations: Generations = field(default_factory=Generations)

    def source(self, letter_offset: int, topic: str, partition: int, offset: int) -> Source:
        """Return the source of the letter at ``letter_offset``: after a repartition, another record may lie in the same place."""
        return self.generations.of_letter(letter_offset), topic, partition, offset

    def add(self, at_ms: int, what: HandledLetter) -> None:
        self.by_place[what.partition, what.offset] = Done(at_ms, what)
        if what.action == "replayed":
            self.sent.add(self.source(what.offset, what.source_topic, what.source_partition, what.source_offset))


def read(settings: Settings) -> Handled:
    """Read what was done; empty where nothing was, or the broker has no such topic yet. Raises infra.inspect.tail.Unreachable."""
    handled = Handled(generations=generations.read(stores.archive(settings)))
    decode = decoder(HandledLetter)
    try:
        within = tail.bounds(settings, DLQ_HANDLED)
    except UnknownTopic:
        return handled
    for seen in tail.scan(settings, DLQ_HANDLED, within):
        what = decode(seen)
        if what is not None:
            handled.add(seen.timestamp_ms, what)
    return handled
