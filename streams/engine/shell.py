"""The Kafka shell around a pure core: consume, process, produce and offsets in one transaction.

Its life is drawn in ``streams.engine.life_cycle``. What goes wrong, and what follows:

- Something is away (model server, Redis): partitions are paused, polling goes on, so that nobody else is handed them.
- The broker is away: every call is tried again.
- SIGTERM: the batch in hand is committed, then the group is left.
- Fenced by a newer process of the same instance, a core that raises, or a client that does not get through while others do: the
  process ends, and its supervisor starts it anew.

A state that went through a batch that was not committed is never used again.
"""

from __future__ import annotations

import logging
import math
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from features.base.broker_names import named
from features.base.settings import Settings
from streams.engine import metrics
from streams.engine.assignment import InHand
from streams.engine.core import Core, Output, SaysWhy, Sink, Snapshotted, Waits
from streams.engine.life_cycle import OUTSIDE, PAUSED, LifeCycle, State
from streams.engine.replay_log import record_of
from streams.engine.snapshot_schedule import Keeper
from streams.engine.snapshot_store import Store
from streams.kafka.broker import KAFKA, Broker
from streams.kafka.cluster import cluster_id
from streams.kafka.records import Partition, Record
from streams.kafka.refusal import refused
from streams.kafka.stall import StallWatch
from streams.kafka.transactions import Aborted, Stopped, Transactions
from streams.topics import DLQ

log = logging.getLogger(__name__)

#: The largest batch of processors that write files, or make few records of many: fewer round trips suit them.
SINK_BATCH = 20_000
#: ``new_s`` on a platform: a broker that was killed may say for two to four seconds that nothing was committed (docs/chaos.md).
NEW_S = 6.0
#: A transaction of its own just to move offsets past a commit marker costs latency, so it waits for a quiet moment.
QUIET_S = 0.1
#: Longest pause between two turns of the loop, or longest wait for something that is away, before /healthz turns red.
STUCK_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
#: One poll of a paused consumer while waiting: short, so that a stop or a rebalance is not kept waiting.
_POLL_S = 0.1
_ASK_LAG_S = 5.0


def _behind(newest_ms: int) -> float:
    return time.time() - newest_ms / 1000


class BatchLost(Exception):
    """Partitions moved while their batch was in hand: it belongs to somebody else now."""


class LogCut(Exception):
    """What was to be read next is not in the log any more."""


class Shell:
    """Runs one core until ``stop()``. Exactly-once towards Kafka; a sink is written before the commit, at least once."""

    def __init__(
        self,
        settings: Settings,
        core: Core,
        sink: Sink | None = None,
        max_batch: int | None = None,
        linger_s: float | None = None,
        instance: str | None = None,
        new_s: float = 0.0,
        broker: Broker = KAFKA,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to run ``core``. ``instance`` tells the members of a group apart, by default what DRIFTLOOP_INSTANCE says, or
        0. ``new_s``: how long a broker that says that nothing was committed is asked again (``streams.kafka.trusted_offsets``).
        ``broker``: where its clients come from; ``clock``, in seconds: by which snapshots are due and a quiet partition is looked
        at."""
        self._settings = settings
        self._broker = broker
        self._core = core
        self._sink = sink
        self._max_batch = max_batch or settings.scoring.max_batch
        self._linger_s = settings.scoring.linger_ms / 1000 if linger_s is None else linger_s
        self._stop = threading.Event()
        self._life = LifeCycle()
        self._turned_at = time.monotonic()
        #: Since when each transaction was given up.
        self._aborts_since: float | None = None
        self._aborted_at = -math.inf
        self._asked_at = -math.inf
        self._newest_ms = 0
        self._stalls = StallWatch(clock)
        # One id per member, the same after a restart: the new process fences its predecessor and ends its open transaction.
        # What a member that lost its partitions still has in hand is refused by the group's generation, which travels along.
        own = os.environ.get("DRIFTLOOP_INSTANCE", "0") if instance is None else instance
        probe = partial(broker.gets_through, settings, named(core.name), core.inputs[0])
        self._transactions = Transactions(
            lambda: broker.producer(settings, f"driftloop-{named(core.name)}-{own}"),
            core.name,
            self._stop,
            broker.held_back(settings, core.outputs),
            probe,
        )
        self._keeper: Keeper | None = None
        if isinstance(core, Snapshotted):
            self._keeper = Keeper(
                Store(settings.snapshot_root, named(core.name)), core.name, core, settings.snapshots.interval_s, clock
            )
        #: The core's state between two batches is as of what is committed of these.
        self._hand = InHand(settings, core, self._keeper, self._stop, new_s, self._is_alive, probe, broker)
        self._source: Consumer | None = None
        #: A log was cut off before what is next in it.
        self._cut: LogCut | None = None
        if isinstance(core, Waits):
            core.wait_with(self.wait)

    @property
    def core(self) -> Core:
        """Return the processor that it runs."""
        return self._core

    def stop(self) -> None:
        """Ask the loop to end after the batch in hand. Safe from a signal handler or another thread."""
        self._stop.set()

    def health(self) -> list[str]:
        """Return what is wrong, in words."""
        name, clock_s = self._core.name, time.monotonic()
        reasons = []
        if clock_s - self._turned_at > STUCK_S:
            reasons.append(f"{name}: no turn of the loop for {clock_s - self._turned_at:.0f} s")
        waited_s = self._life.paused_s
        if waited_s is not None and waited_s > STUCK_S:
            what = self._core.waits_for if isinstance(self._core, SaysWhy) else ""
            reasons.append(f"{name}: the stream has waited for {waited_s:.0f} s for {what or 'something that is away'}")
        lately = clock_s - self._aborted_at <= max(STUCK_S, 3 * _LONGEST_PAUSE_S)  # else the stream is quiet
        if self._aborts_since is not None and clock_s - self._aborts_since > STUCK_S and lately:
            reasons.append(
                f"{name}: each transaction has been given up for {clock_s - self._aborts_since:.0f} s; its log says why"
            )
        left = self._hand.left_since is not None and clock_s - self._hand.left_since > STUCK_S
        if left or self._life.state in OUTSIDE:
            reasons.append(f"{name}: the group has assigned no partitions")
        if self._hand.offsets.doubt is not None:
            reasons.append(f"{name}: {self._hand.offsets.doubt}")
        return reasons

    def run(self) -> None:
        """Run the loop. Raises KafkaException when the broker fences this member, SettingsError where a topic has other
        partitions."""
        self._life.to(State.JOINING)
        self._turned_at = time.monotonic()
        strategy = "cooperative-sticky" if self._hand.cooperative else "range"
        # A log that is cut beneath a reader must be told, not passed over in silence.
        own = {"partition.assignment.strategy": strategy, "auto.offset.reset": "error"}
        source = self._broker.consumer(self._settings, named(self._core.name), **own)
        self._source = source
        try:
            self._transactions.begin_life(source, self._core.inputs[0])
            if self._keeper is not None:
                self._keeper.of_cluster(self._cluster(source))
            source.subscribe(list(self._core.inputs), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)
            self._loop(source)
        except Stopped:
            log.info("%s: stopped within a batch, which is not committed", self._core.name)
        finally:
            source.close()
            self._life.to(State.ENDED)
            self._source = None
            if self._keeper is not None:
                self._keeper.close()
            self._transactions.close()

    def _cluster(self, source: Consumer) -> str:
        while not self._stop.is_set():
            try:
                return cluster_id(source, self._core.inputs[0])
            except KafkaException as error:
                log.warning("%s: waits for the broker: %s", self._core.name, error.args[0].str())
                self._stop.wait(_LONGEST_PAUSE_S)
        raise Stopped

    def _loop(self, source: Consumer) -> None:
        last_records, again_s = time.monotonic(), _FIRST_PAUSE_S
        while not self._stop.is_set():
            started = time.monotonic()
            self._turned_at = started
            try:
                records, newest = self._poll(source)
                if records:
                    self._turn(source, records, newest)
                    last_records, again_s, self._aborts_since = time.monotonic(), _FIRST_PAUSE_S, None
                    metrics.BATCH_SECONDS.labels(self._core.name).observe(last_records - started)
                elif time.monotonic() - last_records > QUIET_S:
                    self._catch_up_offsets(source)
                if self._cut is not None:
                    raise self._cut
                self._stalls.look(source, self._hand.read(), busy=len(records) >= self._max_batch)
            except (Aborted, BatchLost, LogCut) as error:
                cause = error.error if isinstance(error, Aborted) else None
                refusal = (
                    refused(self._settings, cause, f"write what follows from {self._core.name}") if cause is not None else None
                )
                if refusal is not None:
                    raise refusal from error
                log.warning("%s: the state is rebuilt: %s", self._core.name, error)
                if self._aborts_since is None or started - self._aborted_at > STUCK_S:
                    self._aborts_since = started
                self._aborted_at = started
                self._start_over(source)
                self._stop.wait(again_s)
                again_s = min(2 * again_s, _LONGEST_PAUSE_S)
            if self._keeper is not None:
                self._keeper.turn(self._hand.committed)

    def wait(self, seconds: float) -> None:
        """Let a core wait for something that is away: the partitions are paused, and the group hears from us.

        Raises Stopped, and BatchLost where partitions went to another member meanwhile; IllegalStep outside of a batch.
        """
        source = self._source
        if source is None:
            self._stop.wait(seconds)
        else:
            if self._life.state not in PAUSED:
                self._life.to(State.WAITING)
                metrics.WAITING.labels(self._core.name).set(1)
                source.pause(self._hand.partitions())
            self._tell_lag_while_waiting(source)
            until = time.monotonic() + seconds
            while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
                self._turned_at = time.monotonic()
                for message in source.consume(1, min(_POLL_S, left)):
                    error = message.error()
                    if error is None:
                        raise RuntimeError("a paused partition handed out a record")
                    self._take_error(message.topic(), message.partition(), message.offset(), error)
        if self._stop.is_set():
            raise Stopped
        self._refuse_moved()

    def _refuse_moved(self) -> None:
        if self._life.state is State.MOVED:
            raise BatchLost("partitions went to another member while their batch was in hand")

    def _tell_lag_while_waiting(self, source: Consumer) -> None:
        """Tell the lag of paused partitions: they are not fetched, so that the broker must be asked; not at every turn."""
        if time.monotonic() - self._asked_at > _ASK_LAG_S:
            self._asked_at = time.monotonic()
            self._hand.tell_lag(source, ask=True)

    def _end_batch(self, source: Consumer, following: State) -> None:
        waited_s = self._life.paused_s
        self._life.to(following)
        if waited_s is not None:
            log.info("%s: goes on after %.1f s", self._core.name, waited_s)
            self._stalls.forgive()
            metrics.WAITING.labels(self._core.name).set(0)
            source.resume(self._hand.partitions())

    def _poll(self, source: Consumer) -> tuple[list[Record], dict[Partition, int]]:
        """Wait for a first record, then take what else is there within the linger. Returns records and next offsets."""
        messages = source.consume(1, 0.05)
        if messages and messages[0].error() is None and self._max_batch > 1:
            messages += source.consume(self._max_batch - 1, self._linger_s)
        records: list[Record] = []
        newest: dict[Partition, int] = {}
        for message in messages:
            error = message.error()
            if error is not None:
                self._take_error(message.topic(), message.partition(), message.offset(), error)
                continue
            record = record_of(message)
            if (record.topic, record.partition) in self._hand.committed:  # else it moved away between the two calls
                records.append(record)
                newest[record.topic, record.partition] = record.offset + 1
        return records, newest

    def _take_error(self, topic: str, partition: int, offset: int, error: KafkaError) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self._hand.ends[topic, partition] = offset
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            # What was read before is still good, and is nowhere else by now: the loop ends the batch in hand first.
            self._cut = LogCut(f"the log of {topic}[{partition}] was cut off beyond where it was read")
        elif (refusal := refused(self._settings, error, f"read {topic or self._core.name}")) is not None:
            raise refusal
        elif error.fatal():
            raise KafkaException(error)
        else:
            log.warning("%s: %s", self._core.name, error)

    def _turn(self, source: Consumer, records: Sequence[Record], newest: dict[Partition, int]) -> None:
        """Process one micro-batch in one transaction."""
        name, following = self._core.name, State.SPOILT
        self._life.to(State.BATCH)
        try:
            output = self._core.process(records)
            if self._sink is not None and output.rows:
                self._write(self._sink, output.rows)
            self._refuse_moved()  # a core that goes on after its wait was ended
            # An end seen after the newest record may lie beyond a commit marker: commit that, and the lag reads zero.
            self._commit(source, output, {tp: max(offset, self._hand.ends.get(tp, 0)) for tp, offset in newest.items()})
            following = State.READING
        finally:
            self._end_batch(source, following)
        metrics.BATCH_RECORDS.labels(name).observe(len(records))
        if output.newest_ms is not None and output.newest_ms > self._newest_ms:
            self._newest_ms = output.newest_ms
            metrics.EVENT_TIME.labels(name).set(output.newest_ms / 1000)
            # By the clock of whoever asks: it grows while the stream stands.
            metrics.EVENT_TIME_LAG.labels(name).set_function(partial(_behind, output.newest_ms))
        for topic, count in Counter(record.topic for record in records).items():
            metrics.CONSUMED.labels(name, topic).inc(count)

    def _write(self, sink: Sink, rows: list[Any]) -> None:
        """Write the rows, however long their store is away."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                sink.write(rows)
            except sink.unavailable as error:
                if pause == _FIRST_PAUSE_S:
                    log.warning("%s: waits for its store: %s", self._core.name, error)
                self.wait(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                return

    def _commit(self, source: Consumer, output: Output, offsets: dict[Partition, int]) -> None:
        self._transactions.run(source, output.produce, offsets, self._hand.notes)
        self._hand.commit(offsets)
        for topic, count in Counter(item.topic for item in output.produce).items():
            metrics.PRODUCED.labels(self._core.name, topic).inc(count)
            if topic == DLQ:
                for error, letters in Counter(item.error for item in output.produce if item.topic == DLQ).items():
                    metrics.DLQ.labels(self._core.name, error).inc(letters)
        for count_them in output.counted:
            count_them()
        self._hand.tell_lag(source)

    def _catch_up_offsets(self, source: Consumer) -> None:
        """Commit the partition ends, which lie behind commit markers that no record stands for (docs/decisions.md)."""
        if moved := self._hand.behind():
            self._commit(source, Output(), moved)

    def _is_alive(self) -> None:
        self._turned_at = time.monotonic()

    def _start_over(self, source: Consumer) -> None:
        """Go back to what is committed."""
        clean, self._cut = self._life.state is State.READING, None
        self._life.to(State.REBUILDING)
        self._hand.start_over(source, clean=clean)
        self._life.to(State.READING)

    def _on_assign(self, source: Consumer, partitions: list[TopicPartition]) -> None:
        self._hand.assign(source, partitions, paused=self._life.state in PAUSED)
        if self._life.state is State.JOINING:
            self._life.to(State.READING)

    def _on_revoke(self, source: Consumer, partitions: list[TopicPartition]) -> None:
        self._hand.revoke(source, partitions, clean=self._life.state is State.READING)
        self._moved(partitions)

    def _on_lost(self, source: Consumer, partitions: list[TopicPartition]) -> None:
        self._hand.lose(source, partitions)
        self._moved(partitions)

    def _moved(self, partitions: list[TopicPartition]) -> None:
        if partitions and self._life.state is State.WAITING:
            self._life.to(State.MOVED)
