"""Faust over topics that are written in Kafka transactions.

Faust reads uncommitted unless it writes transactions itself, and the offset it commits is one behind the newest record,
so a commit marker at the end of a partition leaves a lag for ever (design, decision 14). This transport reads
committed and knows how far the log was really read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

import aiokafka  # type: ignore[import-untyped]
from faust.transport.consumer import RecordMap
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP


class Reading(NamedTuple):
    """How far one partition was read: ``position`` is the next offset to fetch, markers passed over included;
    ``delivered`` is one past the newest record handed to the streams (0: none yet)."""

    position: int
    delivered: int


class ReadCommittedThread(AIOKafkaConsumerThread):
    """The thread that fetches. Its loop is the only place where position and delivered records agree."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._delivered: dict[TP, int] = {}

    def _create_worker_consumer(self, transport: Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Read by aiokafka when the consumer starts, a moment later; Faust has no setting for it.
        consumer._isolation_level = "read_committed"
        return consumer

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> RecordMap:
        records = await super()._fetch_records(*args, **kwargs)
        for tp, batch in records.items():
            if batch:
                self._delivered[TP(tp.topic, tp.partition)] = batch[-1].offset + 1
        return records

    async def readings(self, partitions: Iterable[TP]) -> dict[TP, Reading]:
        """From the main thread: a consistent look at these partitions; those not assigned or not positioned are left out."""
        readings: dict[TP, Reading] = await self._in_thread(self._readings(list(partitions)))
        return readings

    async def ends(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """From the main thread: the last stable offsets, asked of the broker now. Raises KafkaError."""
        ends: dict[TP, int] = await self._in_thread(self._ends(list(partitions)))
        return ends

    async def _in_thread(self, coroutine: Any) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.thread_loop))

    async def _readings(self, partitions: list[TP]) -> dict[TP, Reading]:
        found: dict[TP, Reading] = {}
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None:
            return found
        for tp in partitions:
            state = assignment.state_value(aiokafka.TopicPartition(tp.topic, tp.partition))
            if state is not None and state.has_valid_position:
                found[tp] = Reading(state.position, self._delivered.get(tp, 0))
        return found

    async def _ends(self, partitions: list[TP]) -> dict[TP, int]:
        asked = [aiokafka.TopicPartition(tp.topic, tp.partition) for tp in partitions]
        ends = await self._ensure_consumer().end_offsets(asked)
        return {TP(tp.topic, tp.partition): offset for tp, offset in ends.items()}


class ReadCommittedConsumer(Consumer):
    _thread: ReadCommittedThread

    def _new_consumer_thread(self) -> ReadCommittedThread:
        return ReadCommittedThread(self, loop=self.loop, beacon=self.beacon)


class ReadCommittedTransport(Transport):
    Consumer: ClassVar[type[ReadCommittedConsumer]] = ReadCommittedConsumer


class Progress:
    """What the agents have handled, against what was read. Commits partition ends that no record stands for."""

    def __init__(self, partitions: Iterable[TP]) -> None:
        self.partitions = list(partitions)
        self._handled: dict[TP, int] = {}

    def handled(self, tp: TP, offset: int) -> None:
        """The record at ``offset`` and all it causes are done."""
        self._handled[tp] = offset + 1

    def quiet(self, tp: TP, reading: Reading) -> bool:
        """Every record that was delivered is handled."""
        return self._handled.get(tp, 0) >= reading.delivered

    async def commit(self, consumer: ReadCommittedConsumer) -> None:
        """Commit positions behind which nothing is left to handle."""
        readings = await consumer._thread.readings(self.partitions)
        moved = {
            tp: reading.position
            for tp, reading in readings.items()
            if reading.position > (consumer._committed_offset[tp] or 0) and self.quiet(tp, reading)
        }
        if moved:
            await consumer._commit_offsets(moved)

    async def behind(self, consumer: ReadCommittedConsumer) -> list[str]:
        """Which partitions hold something that is not handled yet, in words. In the order of ``partitions``:
        each is compared with an end asked for after those before it were found quiet."""
        reasons = []
        for tp in self.partitions:
            end = (await consumer._thread.ends([tp]))[tp]
            reading = (await consumer._thread.readings([tp])).get(tp)
            if reading is None:
                reasons.append(f"{tp.topic}[{tp.partition}] is not assigned yet")
            elif reading.position < end or not self.quiet(tp, reading):
                reasons.append(f"{tp.topic}[{tp.partition}] is read to {reading.position} of {end}")
        return reasons

    async def seen(self, consumer: ReadCommittedConsumer) -> dict[str, dict[str, int]]:
        """For people: position, end and committed offset by ``topic[partition]``."""
        readings = await consumer._thread.readings(self.partitions)
        ends = await consumer._thread.ends(self.partitions)
        return {
            f"{tp.topic}[{tp.partition}]": {
                "position": reading.position,
                "end": ends[tp],
                "handled": self._handled.get(tp, 0),
                "committed": consumer._committed_offset[tp] or 0,
            }
            for tp, reading in readings.items()
        }
