"""Faust over topics that are written in Kafka transactions: reads committed, notes what it hands out, commits what it is given.

Three things that Faust does not do for a low-rate control plane:

- It reads uncommitted unless it writes transactions itself.
- The offset it commits is one behind the newest record, so a commit marker at the end of a partition leaves a lag for ever
  (docs/decisions.md, "A shell commits the partition's end").
- A record fetched while tables are restored can be dropped between the fetcher and the stream, and a later commit then
  passes over it (seen about once in ten restarts right after a record was written).

So the transport here reads committed and notes what the fetcher hands out; the agents say what they have handled; offsets are
committed from these two and from nothing else (``retrain.control.faust.progress``); and a record that was handed out and never
arrived is fetched again.

This file alone touches what is private in Faust and aiokafka. It was written from the sources of the versions below; another one
must be read first.

| private name | of | why |
| --- | --- | --- |
| ``_create_worker_consumer`` | faust ``AIOKafkaConsumerThread`` | the only place where the fetcher's consumer is made |
| ``_isolation_level``, ``_fetch_max_wait_ms`` | aiokafka ``AIOKafkaConsumer`` | Faust has no settings for them |
| ``_fetch_records`` | faust ``AIOKafkaConsumerThread`` | what is handed out, before anything can be dropped |
| ``_ensure_consumer`` | faust ``AIOKafkaConsumerThread`` | the consumer, from the fetcher's loop |
| ``_subscription`` | aiokafka ``AIOKafkaConsumer`` | the position, without asking the broker or waiting |
| ``_thread``, ``_new_consumer_thread`` | faust ``ThreadDelegateConsumer`` | to put our thread in |
| ``_new_offset``, ``_acked``, ``_acked_index`` | faust ``Consumer`` | what it would commit by itself: nothing |
| ``_add_gap`` | faust ``Consumer`` | its list of offsets without records, which only its own committing reads |
| ``_committed_offset``, ``_commit_offsets`` | faust ``Consumer`` | to commit what we say, in its group and generation |
| ``_read_offset`` | faust ``Consumer`` | up to where it takes records for old: a record comes again |
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

import aiokafka
from faust.transport.consumer import RecordMap
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP

#: The versions that were read (``importlib.metadata``).
READ = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0"}
FETCH_WAIT_MS = 200


class Reading(NamedTuple):
    """How far one partition was read: ``position`` is the next offset to fetch, markers passed over included;
    ``fetched`` are the offsets of the records handed out since the last reading."""

    position: int
    fetched: list[int]


class ReadCommittedThread(AIOKafkaConsumerThread):
    """The thread that fetches. Its loop is the only place where the position and the records handed out agree."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._fetched: dict[TP, list[int]] = {}

    def _create_worker_consumer(self, transport: Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Read by aiokafka when the consumer starts, a moment later; Faust has no settings for them.
        consumer._isolation_level = "read_committed"
        # One request per broker is in flight: with Faust's 1.5 s a partition that is resumed waits that long for its turn.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> RecordMap:
        records = await super()._fetch_records(*args, **kwargs)
        for tp, batch in records.items():
            self._fetched.setdefault(TP(tp.topic, tp.partition), []).extend(record.offset for record in batch)
        return records

    async def readings(self, partitions: Iterable[TP]) -> dict[TP, Reading]:
        """Take a consistent look from the main thread at these partitions; those without a position yet are left out."""
        readings: dict[TP, Reading] = await self._in_thread(self._readings(list(partitions)))
        return readings

    async def rewind(self, tp: TP, offset: int) -> None:
        """Fetch again from ``offset``, asked from the main thread."""
        await self._in_thread(self._rewind(aiokafka.TopicPartition(tp.topic, tp.partition), offset))

    async def _in_thread(self, coroutine: Any) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.thread_loop))

    async def _readings(self, partitions: list[TP]) -> dict[TP, Reading]:
        readings: dict[TP, Reading] = {}
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None:
            return readings
        for tp in partitions:
            state = assignment.state_value(aiokafka.TopicPartition(tp.topic, tp.partition))
            if state is not None and state.has_valid_position:
                readings[tp] = Reading(state.position, self._fetched.pop(tp, []))
        return readings

    async def _rewind(self, tp: aiokafka.TopicPartition, offset: int) -> None:
        self._ensure_consumer().seek(tp, offset)


class ReadCommittedConsumer(Consumer):
    """Leaves committing to ``Progress``."""

    _thread: ReadCommittedThread

    def _new_consumer_thread(self) -> ReadCommittedThread:
        return ReadCommittedThread(self, loop=self.loop, beacon=self.beacon)

    def _new_offset(self, tp: TP) -> int | None:
        # Faust asks here what it may commit. Its own answer counts records that it dropped as done.
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return None

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Keep no list of offsets without records: only Faust's own committing reads it."""

    async def readings(self, partitions: Iterable[TP]) -> dict[TP, Reading]:
        """Take a consistent look at these partitions; those without a position yet are left out."""
        return await self._thread.readings(partitions)

    def committed_to(self, tp: TP) -> int:
        """Return the offset that was committed last; 0 where none was."""
        return self._committed_offset[tp] or 0

    async def commit_to(self, offsets: dict[TP, int]) -> None:
        """Commit these offsets, the next to read of each partition."""
        await self._commit_offsets(offsets)

    async def fetch_again(self, tp: TP, offset: int) -> None:
        """Deliver the records from ``offset`` on once more."""
        self._read_offset[tp] = offset or None
        await self._thread.rewind(tp, offset)


class ReadCommittedTransport(Transport):
    Consumer: ClassVar[type[ReadCommittedConsumer]] = ReadCommittedConsumer
