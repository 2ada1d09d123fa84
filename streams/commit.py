"""One Kafka transaction, with a broker that may be away: tried again while that can help, given up cleanly where it must be.

| what the broker or the client says | what follows |
| --- | --- |
| try again (time-outs, no coordinator yet, a broker that is away) | the same call again, with pauses, until it works or the stop
| | the transaction must be aborted (the partitions went to another member, ...) | it is aborted; ``Aborted`` |
| fatal (another process with this transactional id came: this one is a zombie) | the error as it is: the process must end |
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from streams import metrics
from streams.core import Produce

log = logging.getLogger(__name__)

T = TypeVar("T")

_CALL_S = 10.0
_PAUSE_S = 0.2


class Aborted(Exception):
    """The transaction was given up; nothing of it will ever be seen. The state that went through it must not be used again."""


class Stopped(Exception):
    """Asked to stop while waiting; what was in hand is not committed."""


class Transactions:
    """The transactions of one member. ``stop`` ends every wait."""

    def __init__(self, producer: Producer, name: str, stop: threading.Event) -> None:
        self._producer = producer
        self._name = name
        self._stop = stop

    def begin_life(self) -> None:
        """Fence whoever used this transactional id before, and end what they left open."""
        self._again(lambda: self._producer.init_transactions(_CALL_S))

    def run(self, source: Consumer, produce: Sequence[Produce], offsets: Mapping[tuple[str, int], int]) -> None:
        """Write ``produce`` and commit ``offsets``, both or neither. Raises Aborted, Stopped, or KafkaException where it is
        fatal."""
        began = time.perf_counter()
        moved = [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
        producer = self._producer
        try:
            producer.begin_transaction()
            for item in produce:
                self._put(item)
            self._again(lambda: producer.send_offsets_to_transaction(moved, source.consumer_group_metadata(), _CALL_S))
            self._again(lambda: producer.commit_transaction(_CALL_S))
        except KafkaException as error:
            if error.args[0].fatal():
                raise
            log.warning("%s: transaction given up at %s: %s", self._name, dict(offsets), error.args[0].str())
            metrics.ABORTS.labels(self._name).inc()
            self._again(lambda: producer.abort_transaction(_CALL_S))
            raise Aborted(error.args[0].str()) from error
        metrics.TRANSACTION_SECONDS.labels(self._name).observe(time.perf_counter() - began)

    def _put(self, item: Produce) -> None:
        while True:
            try:
                self._producer.produce(item.topic, item.value, item.key, item.partition, headers=item.headers)
            except BufferError:
                if self._stop.is_set():
                    raise Stopped from None
                self._producer.poll(0.1)
            else:
                return

    def _again(self, call: Callable[[], T]) -> T:
        """``call`` until it works. Raises KafkaException where trying again cannot help, Stopped."""
        told = False
        while True:
            try:
                return call()
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
                if self._stop.is_set():
                    raise Stopped from error
                if not told:
                    log.warning("%s: waits for the broker: %s", self._name, error.args[0].str())
                    told = True
            self._stop.wait(_PAUSE_S)
