"""One Kafka transaction, with a broker that may be away: tried again while that can help, given up cleanly where it must be.

| what the broker or the client says | what follows |
| --- | --- |
| try again (time-outs, no coordinator yet, a broker that is away) | the same call again, with pauses, until it works or the stop
| | the transaction must be aborted (the partitions went to another member, ...) | it is aborted; ``Aborted`` |
| fatal (another process with this transactional id came: this one is a zombie) | the error as it is: the process must end |
| nothing, for much longer than was asked for | a new producer takes over the transactional id; ``Aborted`` |

The last one is for librdkafka's ``send_offsets_to_transaction``, which never comes back where the group's coordinator goes away
beneath it (its issue 5456, seen here when a broker was killed under load). The call runs in a thread of its own, so that it
can be left.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streams.kafka import metrics
from streams.kafka.records import Partition, Produce
from streams.kafka.stuck_client import Patience, Probe

log = logging.getLogger(__name__)

T = TypeVar("T")

_CALL_S = 10.0
#: Offsets are sent in less, because that call may hang: where it is not back after twice its time, it will not come back.
_OFFSETS_S = 5.0
_HUNG_S = 2 * _OFFSETS_S
#: How long a broker that has just come back may take to lead its partitions.
_LOOK_S = 60.0
_PAUSE_S = 0.2


class Aborted(Exception):
    """The transaction was given up; nothing of it will ever be seen. The state that went through it must not be used again.

    ``error``: what the broker said, where it said something.
    """

    def __init__(self, message: str, error: KafkaError | None = None) -> None:
        super().__init__(message)
        self.error = error


class Stopped(Exception):
    """Asked to stop while waiting; what was in hand is not committed."""


class _Hung(Exception):
    """The call does not come back."""


class Transactions:
    """The transactions of one member, over producers of ``make`` with its transactional id. ``stop`` ends every wait;
    ``held_back`` tells which partitions that it may write to have an open transaction (``streams.kafka.open_transactions``);
    ``probe``: see
    ``streams.kafka.stuck_client``."""

    def __init__(
        self,
        make: Callable[[], Producer],
        name: str,
        stop: threading.Event,
        held_back: Callable[[], list[Partition]],
        probe: Probe = lambda: False,
    ) -> None:
        self._make = make
        self._held_back = held_back
        self._probe = probe
        #: For a transaction that commits nothing: the group of no generation, and a place of it.
        self._aside: tuple[object, TopicPartition] | None = None
        self._producer = make()
        self._name = name
        self._stop = stop

    def begin_life(self, source: Consumer, topic: str) -> None:
        """Fence whoever used this transactional id before, and end what they left open. ``source`` has not joined its group yet;
        ``topic`` is one that it reads."""
        self._aside = source.consumer_group_metadata(), TopicPartition(topic, 0, 0)
        self._begin()

    def _begin(self) -> None:
        while True:
            self._again(lambda: self._producer.init_transactions(_CALL_S))
            try:
                self._end_what_hangs()
            except _Hung:
                self._producer = self._make()
            else:
                return

    def _end_what_hangs(self) -> None:
        """End what a killed broker may have forgotten: a transaction of ours that partitions still hold open. In the offsets
        topic nobody is told any more what the group has committed; elsewhere committed readers stand still. The end of any later
        transaction of this id in the same partition ends it, too: so one writes there, commits nothing, and is aborted."""
        assert self._aside is not None
        metadata, place = self._aside
        held = self._look()
        producer = self._producer
        producer.begin_transaction()
        for topic, partition in held:
            log.info("%s: a transaction is open in %s[%d]; it is ended if it is ours", self._name, topic, partition)
            self._put(Produce(topic, None, b"", partition))
        while held and producer.flush(_CALL_S) and not self._stop.is_set():
            log.warning("%s: waits for the broker to take what ends a transaction", self._name)
        try:
            self._again(lambda: self._send_offsets([place], metadata))
        except KafkaException as error:
            if error.args[0].fatal():
                raise
            log.warning("%s: what hangs may not have been ended: %s", self._name, error.args[0].str())
        self._again(lambda: producer.abort_transaction(_CALL_S))

    def _look(self) -> list[Partition]:
        """Return which partitions have an open transaction, as soon as the broker can tell."""
        deadline = time.monotonic() + _LOOK_S
        while True:
            try:
                return self._held_back()
            except KafkaException as error:
                if self._stop.is_set():
                    raise Stopped from error
                if time.monotonic() > deadline:
                    log.warning("%s: what hangs may not be ended: %s", self._name, error.args[0].str())
                    return []
            self._stop.wait(_PAUSE_S)

    def run(
        self,
        source: Consumer,
        produce: Sequence[Produce],
        offsets: Mapping[Partition, int],
        notes: Mapping[Partition, str] | None = None,
    ) -> None:
        """Write ``produce`` and commit ``offsets``, both or neither. ``notes``: what goes along, by partition
        (``streams.engine.commit_metadata``). Raises Aborted, Stopped, or KafkaException where it is fatal."""
        began = time.perf_counter()
        beside = notes or {}
        moved = [TopicPartition(*place, offset, beside.get(place, "")) for place, offset in offsets.items()]
        producer = self._producer
        try:
            producer.begin_transaction()
            for item in produce:
                self._put(item)
            self._again(lambda: self._send_offsets(moved, source.consumer_group_metadata()))
            self._again(lambda: producer.commit_transaction(_CALL_S))
        except KafkaException as error:
            if error.args[0].fatal():
                raise
            log.warning("%s: transaction given up at %s: %s", self._name, dict(offsets), error.args[0].str())
            metrics.ABORTS.labels(self._name).inc()
            self._again(lambda: producer.abort_transaction(_CALL_S))
            raise Aborted(error.args[0].str(), error.args[0]) from error
        except _Hung as error:
            log.warning("%s: a transaction hangs at %s; a new producer takes over", self._name, dict(offsets))
            metrics.ABORTS.labels(self._name).inc()
            self._take_over()
            raise Aborted("the transaction hung") from error
        metrics.TRANSACTION_SECONDS.labels(self._name).observe(time.perf_counter() - began)

    def close(self) -> None:
        """Close the producer. It aborts an open transaction; where it cannot, whoever takes its id next does, or the time-out."""
        try:
            self._producer.close()
        except KafkaException as error:  # a fenced one, of which the caller has been told
            log.info("%s: the producer is closed: %s", self._name, error.args[0].str())

    def _send_offsets(self, moved: list[TopicPartition], metadata: object) -> None:
        """Send the offsets in a thread that dies with the process: one of a pool would be waited for at the exit."""
        producer = self._producer
        failures: list[Exception] = []

        def call() -> None:
            try:
                producer.send_offsets_to_transaction(moved, metadata, _OFFSETS_S)
            except Exception as error:  # any: offsets that were not sent must not count as sent
                failures.append(error)

        thread = threading.Thread(target=call, name=f"{self._name}-offsets", daemon=True)
        thread.start()
        thread.join(_HUNG_S)
        if thread.is_alive():
            raise _Hung
        if failures:
            raise failures[0]

    def _take_over(self) -> None:
        # The old producer stays behind with the thread that is in its call.
        self._producer = self._make()
        self._begin()

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
        """Try ``call`` until it works. Raises KafkaException where trying again cannot help, Stopped, ClientStuck."""
        warned, patience = False, Patience(self._name, self._probe)
        while True:
            try:
                return call()
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
                if self._stop.is_set():
                    raise Stopped from error
                if not warned:
                    log.warning("%s: waits for the broker: %s", self._name, error.args[0].str())
                    warned = True
                patience.failed("has waited for the broker")
            self._stop.wait(_PAUSE_S)
