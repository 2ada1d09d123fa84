"""Who sends dead letters again, or puts them aside.

What was done about a letter is a record of ``dlq-handled``, written in the transaction that sends it: after a crash either both
are there or neither. All operators share one transactional id, so whoever begins ends an unfinished transaction of the one
before, and only then reads what was done: two at a time cannot send a letter twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from features.archive.generations import Generations
from features.base.broker_names import named
from features.base.events import DeadLetter, HandledLetter
from features.base.settings import Settings
from infra.dead_letters import handled
from infra.dead_letters.handled import Handled
from infra.inspect.tail import Seen
from streams.engine.codec import encode
from streams.engine.core import ATTEMPT_HEADER
from streams.kafka import clients
from streams.kafka.partitioners import HASHES
from streams.topics import DLQ_HANDLED, OUTCOMES, SPREAD

TRANSACTIONAL_ID = f"driftloop-{named('dlq')}"
_BEGIN_S = _COMMIT_S = _FLUSH_S = 30
_ABORT_S = 10
#: Said by the client of what it does not even send, and by the broker of what its topic does not take.
_SIZES = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE)

Found = tuple[Seen, DeadLetter]
Action = Literal["replayed", "discarded"]


class TooLarge(Exception):
    """The broker does not take one of the records, and nothing was done. ``begin`` anew: librdkafka's next transaction would fail
    ("skipped sequence numbers")."""


class Operator:
    """``begin``, then ``commit`` batches. ``done``: all that was done about letters, by anybody, when it began, and by it since.

    Methods raise KafkaException where Kafka does not take it.
    """

    def __init__(self, settings: Settings, action: Action, reason: str) -> None:
        self._settings = settings
        self._action = action
        self._reason = reason
        self._sender: Producer | None = None
        self._partitions: dict[str, int] = {}
        self.done = Handled()

    def begin(self) -> None:
        """Take over from whoever was at it, oneself too."""
        self.close()
        self._sender = clients.producer(self._settings, TRANSACTIONAL_ID, log_level=0)
        self._sender.init_transactions(_BEGIN_S)
        self.done = handled.read(self._settings)
        topics = self._sender.list_topics(timeout=_BEGIN_S).topics
        self._partitions = {name: len(topic.partitions) for name, topic in topics.items()}

    def can_send(self, letter: DeadLetter, letter_offset: int) -> bool:
        """Tell whether there is a topic and a partition for it: a producer would wait half a minute for one that is not, with an
        open transaction on the others."""
        generation = self.done.generations.of_letter(letter_offset)
        return place(letter, generation, self.done.generations) < self._partitions.get(letter.topic, -1)

    def left(self, batch: list[Found]) -> list[Found]:
        """Return those that nothing was done about."""
        return [entry for entry in batch if (entry[0].partition, entry[0].offset) not in self.done.by_place]

    def commit(self, batch: list[Found]) -> int:
        """Do it in one transaction; return how many records were written again. Raises TooLarge, and nothing was done then."""
        assert self._sender is not None
        sender = self._sender
        codes: set[int] = set()

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                codes.add(error.code())

        sender.begin_transaction()
        made = []
        sent = set()
        try:
            for seen, letter in batch:
                source = self.done.source(seen.offset, letter.topic, letter.partition, letter.offset)
                what = HandledLetter(seen.partition, seen.offset, self._action, *source[1:], self._reason, letter.attempt)
                if self._action == "replayed":
                    what.attempt += 1
                    if source not in self.done.sent and source not in sent:
                        send_again(sender, letter, place(letter, source[0], self.done.generations), delivered)
                        sent.add(source)
                sender.produce(DLQ_HANDLED, encode(what), f"{seen.partition}:{seen.offset}".encode())
                made.append(what)
            # Before the commit, so that each record's fate is known: of a failed commit the broker says only that it failed.
            sender.flush(_FLUSH_S)
            if not codes.intersection(_SIZES):
                sender.commit_transaction(_COMMIT_S)
        except KafkaException as error:
            codes.add(error.args[0].code())
            # A record that was refused spoils the transaction, and the next call may say only that.
            with suppress(KafkaException):
                sender.flush(_FLUSH_S)
            if not codes.intersection(_SIZES):
                if error.args[0].txn_requires_abort():
                    sender.abort_transaction(_ABORT_S)
                raise
        if codes.intersection(_SIZES):
            with suppress(KafkaException):
                sender.abort_transaction(_ABORT_S)
            raise TooLarge
        for what in made:
            self.done.add(time.time_ns() // 1_000_000, what)
        return len(sent)

    def close(self) -> None:
        if self._sender is not None:
            self._sender.close()
            self._sender = None


def place(letter: DeadLetter, generation: int, generations: Generations) -> int:
    """Return the partition to which the letter's producer would send it now: the one of then, or, where the topic has other
    partitions since ``generation``, the one of its key. -1: any."""
    if generation == generations.number or letter.topic not in SPREAD:
        return letter.partition
    if letter.key is None:
        return -1
    current = generations.generations[-1]
    # Outcomes are written by the label joiner alone.
    return HASHES["murmur2" if letter.topic == OUTCOMES else current.partitioner](letter.key) % current.partitions


def send_again(
    sender: Producer, letter: DeadLetter, partition: int, delivered: Callable[[KafkaError | None, Message], None]
) -> None:
    """Send the original bytes, key and headers to the original topic."""
    headers = [(name, value) for name, value in letter.headers if name != ATTEMPT_HEADER]
    headers.append((ATTEMPT_HEADER, str(letter.attempt + 1).encode()))
    sender.produce(letter.topic, letter.value, letter.key, partition, delivered, headers=headers)
