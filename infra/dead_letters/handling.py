"""Sending dead letters again, or putting them aside: each once, whatever crashes.

How it is sent is in ``infra.dead_letters.operator``: what was done stays done, and is done once.

Records of one source that several processors could not take (a score that neither archive nor drift monitor could read) are sent
once: all who read the topic get it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from confluent_kafka import KafkaException

from features.base.events import DeadLetter
from features.base.settings import Settings
from infra.dead_letters import handled
from infra.dead_letters.filters import Filter, is_cut
from infra.dead_letters.handled import Handled
from infra.dead_letters.operator import Action, Found, Operator, TooLarge
from infra.errors import PlatformError
from infra.inspect import tail
from infra.inspect.decode import decoder
from streams.topics import DLQ

#: A transaction holds so many letters or bytes at most.
MOST_LETTERS, MOST_BYTES = 500, 16 * 1024 * 1024

Bounds = dict[int, tuple[int, int]]


class NotDone(PlatformError):
    """It was not done, or not all of it. The request was fine: exit code 1."""

    exit_code = 1


@dataclass(slots=True)
class Counts:
    """``letters`` that the action is for; ``sent``: records written again. Places of letters that cannot be sent again: ``cut``
    hold only the beginning of their record; ``large``: with its headers the topic no longer takes it; ``nowhere``: the topic is
    no more, or has no such partition."""

    letters: int = 0
    sent: int = 0
    cut: list[str] = field(default_factory=list)
    large: list[str] = field(default_factory=list)
    nowhere: list[str] = field(default_factory=list)
    by_kind: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def add(self, letter: DeadLetter) -> None:
        self.letters += 1
        kind = letter.topic, letter.processor, letter.error
        self.by_kind[kind] = self.by_kind.get(kind, 0) + 1


def open_letters(settings: Settings, wanted: Filter, within: Bounds, done: Handled) -> Iterator[Found]:
    """Yield the letters that are meant and that nothing was done about, oldest first."""
    decode = decoder(DeadLetter)
    for seen in tail.scan(settings, DLQ, within):
        letter = decode(seen)
        if letter is not None and (seen.partition, seen.offset) not in done.by_place and wanted.wants(seen, letter):
            yield seen, letter


def count(settings: Settings, wanted: Filter, action: Action) -> tuple[Counts, Bounds]:
    """Count what would be done; tell how far ``dlq`` was looked at: a letter that comes back meanwhile is for the next time."""
    within = tail.bounds(settings, DLQ)
    counts = Counts()
    for seen, letter in open_letters(settings, wanted, within, handled.read(settings)):
        if action == "replayed" and is_cut(letter):
            counts.cut.append(f"{seen.partition}:{seen.offset}")
        else:
            counts.add(letter)
    return counts, within


def handle(
    settings: Settings, wanted: Filter, within: Bounds, action: Action, reason: str = "", counts: Counts | None = None
) -> Counts:
    """Send again, or put aside, what is meant within the bounds. Raises NotDone; what was committed until then stays done.

    ``counts`` is filled meanwhile, for whoever must say how far it came.
    """
    counts = Counts() if counts is None else counts
    operator = Operator(settings, action, reason)
    try:
        operator.begin()
        batch: list[Found] = []
        size = 0
        for seen, letter in open_letters(settings, wanted, within, operator.done):
            if action == "replayed" and is_cut(letter):
                counts.cut.append(f"{seen.partition}:{seen.offset}")
                continue
            if action == "replayed" and not operator.can_send(letter, seen.offset):
                counts.nowhere.append(f"{seen.partition}:{seen.offset}")
                continue
            batch.append((seen, letter))
            size += len(seen.value or b"")
            if len(batch) >= MOST_LETTERS or size >= MOST_BYTES:
                _commit(operator, batch, counts)
                batch, size = [], 0
        _commit(operator, batch, counts)
    except KafkaException as error:
        why = error.args[0].str()
        raise NotDone(
            f"Kafka at {settings.bootstrap} did not take it ({why}); {counts.letters:,} letters were {action} before. "
            "Where another driftloop dlq took over, let it end first; nothing is sent twice: run it again"
        ) from error
    finally:
        operator.close()
    return counts


def _commit(operator: Operator, batch: list[Found], counts: Counts) -> None:
    """Commit the batch without the letters whose record is now too large: its headers grew, or its topic takes less than then."""
    batch = operator.left(batch)
    if not batch:
        return
    try:
        counts.sent += operator.commit(batch)
    except TooLarge:
        # Another operator may have done some of it meanwhile.
        operator.begin()
        if len(batch) == 1:
            counts.large.append(f"{batch[0][0].partition}:{batch[0][0].offset}")
        else:
            half = len(batch) // 2
            _commit(operator, batch[:half], counts)
            _commit(operator, batch[half:], counts)
    else:
        for _, letter in batch:
            counts.add(letter)
