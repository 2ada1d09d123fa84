"""Sending dead letters again, or putting them aside: each once, whatever crashes.

What was done about a letter is a record of ``dlq-handled``, written in the transaction that sends it: after a crash either both
are there or neither. All operators share one transactional id, so whoever begins ends an unfinished transaction of the one
before, and only then reads what was done: two at a time cannot send a letter twice.

Records of one source that several processors could not take (a score that neither archive nor drift monitor could read) are sent
once: all who read the topic get it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from features.events import DeadLetter, HandledLetter
from features.generations import Generations
from features.settings import Settings
from infra.errors import PlatformError
from infra.inspect import tail
from infra.inspect.decode import decoder
from infra.inspect.tail import Seen
from infra.letters import handled
from infra.letters.filters import Filter, is_cut
from infra.letters.handled import Handled
from infra.repartition.partitioners import HASHES
from streams import kafka
from streams.codec import encode
from streams.core import ATTEMPT_HEADER
from streams.topics import DLQ, DLQ_HANDLED, OUTCOMES, SPREAD

TRANSACTIONAL_ID = "driftloop-dlq"
#: A transaction holds so many letters or bytes at most.
MOST_LETTERS, MOST_BYTES = 500, 16 * 1024 * 1024

_FLUSH_S = 30
#: Said by the client of what it does not even send, and by the broker of what its topic does not take.
_SIZES = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)

Bounds = dict[int, tuple[int, int]]
Found = tuple[Seen, DeadLetter]
Action = Literal["replayed", "discarded"]


class _TooLarge(Exception):
    """The broker does not take one of the records; the transaction was aborted."""


class NotDone(PlatformError):
    """It was not done, or not all of it. The request was fine: exit code 1."""

    exit_code = 1


@dataclass(slots=True)
class Counts:
    """``letters`` that the action is for; ``sent``: records written again. Places of letters that cannot be sent again: ``cut``
    hold only the beginning of their record; ``large``: with its headers the topic no longer takes it."""

    letters: int = 0
    sent: int = 0
    cut: list[str] = field(default_factory=list)
    large: list[str] = field(default_factory=list)
    by_kind: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def add(self, letter: DeadLetter) -> None:
        self.letters += 1
        kind = letter.topic, letter.processor, letter.error
        self.by_kind[kind] = self.by_kind.get(kind, 0) + 1


def open_letters(settings: Settings, wanted: Filter, within: Bounds, done: Handled) -> Iterator[Found]:
    """The letters that are meant and that nothing was done about, oldest first."""
    decode = decoder(DeadLetter)
    for seen in tail.scan(settings, DLQ, within):
        letter = decode(seen)
        if letter is not None and (seen.partition, seen.offset) not in done.by_place and wanted.wants(seen, letter):
            yield seen, letter


def count(settings: Settings, wanted: Filter, action: Action) -> tuple[Counts, Bounds]:
    """What would be done, and how far ``dlq`` was looked at: a letter that comes back meanwhile is for the next time."""
    within = tail.bounds(settings, DLQ)
    counts = Counts()
    for seen, letter in open_letters(settings, wanted, within, handled.read(settings)):
        if action == "replayed" and is_cut(letter):
            counts.cut.append(f"{seen.partition}:{seen.offset}")
        else:
            counts.add(letter)
    return counts, within


def handle(settings: Settings, wanted: Filter, within: Bounds, action: Action, reason: str = "") -> Counts:
    """Send again, or put aside, what is meant within the bounds. Raises NotDone; what was committed until then stays done."""
    sender = kafka.producer(settings, TRANSACTIONAL_ID, log_level=0)
    counts = Counts()
    try:
        sender.init_transactions(30)
        done = handled.read(settings)
        batch: list[Found] = []
        size = 0
        for seen, letter in open_letters(settings, wanted, within, done):
            if action == "replayed" and is_cut(letter):
                counts.cut.append(f"{seen.partition}:{seen.offset}")
                continue
            batch.append((seen, letter))
            size += len(seen.value or b"")
            if len(batch) >= MOST_LETTERS or size >= MOST_BYTES:
                _commit(sender, batch, action, reason, done, counts)
                batch, size = [], 0
        if batch:
            _commit(sender, batch, action, reason, done, counts)
    except KafkaException as error:
        why = error.args[0].str()
        raise NotDone(
            f"Kafka at {settings.bootstrap} did not take it ({why}); {counts.letters:,} letters were {action} before. "
            "Where another driftloop dlq took over, let it end first; nothing is sent twice: run it again"
        ) from error
    finally:
        sender.close()
    return counts


def _commit(sender: Producer, batch: list[Found], action: Action, reason: str, done: Handled, counts: Counts) -> None:
    """The batch, but for the letters whose record is too large by now: its headers grew, or its topic takes less than then."""
    try:
        _in_one(sender, batch, action, reason, done, counts)
    except _TooLarge:
        if len(batch) == 1:
            counts.large.append(f"{batch[0][0].partition}:{batch[0][0].offset}")
            return
        half = len(batch) // 2
        _commit(sender, batch[:half], action, reason, done, counts)
        _commit(sender, batch[half:], action, reason, done, counts)


def _in_one(sender: Producer, batch: list[Found], action: Action, reason: str, done: Handled, counts: Counts) -> None:
    """In one transaction. Raises _TooLarge or KafkaException; nothing was done then."""
    too_large = False

    def delivered(error: KafkaError | None, _: Message) -> None:
        nonlocal too_large
        too_large |= error is not None and error.code() in _SIZES

    sender.begin_transaction()
    made = []
    sent = set()
    try:
        for seen, letter in batch:
            source = done.source(seen.offset, letter.topic, letter.partition, letter.offset)
            what = HandledLetter(seen.partition, seen.offset, action, *source[1:], reason, letter.attempt)
            if action == "replayed":
                what.attempt += 1
                if source not in done.sent and source not in sent:
                    send_again(sender, letter, place(letter, source[0], done.generations), delivered)
                    sent.add(source)
            sender.produce(DLQ_HANDLED, encode(what), f"{seen.partition}:{seen.offset}".encode())
            made.append((what, letter))
        # Before the commit, so that each record's fate is known: of a failed commit the broker says only that it failed.
        sender.flush(_FLUSH_S)
        if not too_large:
            sender.commit_transaction(30)
    except KafkaException as error:
        if error.args[0].code() in _SIZES:
            too_large = True
        else:
            if error.args[0].txn_requires_abort():
                sender.abort_transaction(10)
            raise
    if too_large:
        sender.abort_transaction(10)
        raise _TooLarge
    done.sent |= sent
    for what, letter in made:
        done.add(time.time_ns() // 1_000_000, what)
        counts.add(letter)
    counts.sent += len(sent)


def place(letter: DeadLetter, generation: int, generations: Generations) -> int:
    """The partition to which the letter's producer would send it now: the one of then, or, where the topic has other partitions
    since ``generation``, the one of its key. -1: any."""
    if generation == generations.number or letter.topic not in SPREAD:
        return letter.partition
    if letter.key is None:
        return -1
    now = generations.generations[-1]
    # Outcomes are written by the label joiner alone.
    return HASHES["murmur2" if letter.topic == OUTCOMES else now.partitioner](letter.key) % now.partitions


def send_again(
    sender: Producer, letter: DeadLetter, partition: int, delivered: Callable[[KafkaError | None, Message], None]
) -> None:
    """The original bytes, key and headers to the original topic."""
    headers = [(name, value) for name, value in letter.headers if name != ATTEMPT_HEADER]
    headers.append((ATTEMPT_HEADER, str(letter.attempt + 1).encode()))
    sender.produce(letter.topic, letter.value, letter.key, partition, delivered, headers=headers)
