"""Faust over topics that are written in Kafka transactions, without losing a record.

Three things that Faust 0.15 does not do for a low-rate control plane:

- It reads uncommitted unless it writes transactions itself.
- The offset it commits is one behind the newest record, so a commit marker at the end of a partition leaves a lag for ever
  (design, decision 14).
- A record fetched while tables are restored can be dropped between the fetcher and the stream, and a later commit then
  passes over it (seen about once in ten restarts right after a record was written).

So the transport here reads committed and notes what the fetcher hands out; the agents say what they have handled; offsets are
committed from these two and from nothing else; and a record that was handed out and never arrived is fetched again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

import aiokafka
from faust.transport.consumer import RecordMap
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP

from features.base.settings import Settings
from streams.kafka.end_offsets import Ends

log = logging.getLogger(__name__)

#: The broker answers in milliseconds; longer means that it is not there.
ASK_S = 5.0
FETCH_WAIT_MS = 200
#: A record goes from the fetcher to an idle agent in milliseconds; one that takes this long will not come.
LOST_S = 2.0


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
        """From the main thread: a consistent look at these partitions; those without a position yet are left out."""
        readings: dict[TP, Reading] = await self._in_thread(self._readings(list(partitions)))
        return readings

    async def rewind(self, tp: TP, offset: int) -> None:
        """From the main thread: fetch again from ``offset``."""
        await self._in_thread(self._rewind(aiokafka.TopicPartition(tp.topic, tp.partition), offset))

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
                found[tp] = Reading(state.position, self._fetched.pop(tp, []))
        return found

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
        """Faust's list of offsets without records, which only its own committing reads."""

    async def fetch_again(self, tp: TP, offset: int) -> None:
        """Deliver the records from ``offset`` on once more."""
        self._read_offset[tp] = offset or None
        await self._thread.rewind(tp, offset)


class ReadCommittedTransport(Transport):
    Consumer: ClassVar[type[ReadCommittedConsumer]] = ReadCommittedConsumer


class EndOffsets:
    """Asks the broker for the ends of partitions, over a connection of its own: on the fetcher's connection
    the question would wait behind a long poll of 1.5 s.

    The ends are those of the log, not the last stable offsets: a producer's commit returns before its markers are
    written, so for some milliseconds a record that is committed already lies beyond the last stable offset.
    """

    def __init__(self, settings: Settings) -> None:
        self._ends = Ends(settings, ASK_S)

    async def of(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """As they are now. Raises KafkaException."""
        found = await asyncio.to_thread(self._ends.read, [(tp.topic, tp.partition) for tp in partitions])
        return {TP(*place): end for place, end in found.items()}


class Progress:
    """What was fetched and what the agents have handled, by partition. Commits, and notices records that got lost on the way."""

    def __init__(self, partitions: Iterable[TP], ends: EndOffsets) -> None:
        self.partitions = list(partitions)
        self._ends = ends
        self._outstanding: dict[TP, set[int]] = {tp: set() for tp in self.partitions}
        self._handled: dict[TP, set[int]] = {tp: set() for tp in self.partitions}
        self._busy: set[TP] = set()
        self._looking = asyncio.Lock()
        self._moved_at: dict[TP, float] = {}

    def begin(self, tp: TP, offset: int) -> bool:
        """An agent has a record in hand; False if it was handled before and came again."""
        if offset in self._handled[tp]:
            self._outstanding[tp].discard(offset)
            return False
        self._busy.add(tp)
        return True

    def handled(self, tp: TP, offset: int) -> None:
        """The record at ``offset`` and all it causes are done."""
        self._busy.discard(tp)
        self._handled[tp].add(offset)
        self._outstanding[tp].discard(offset)
        self._moved_at[tp] = time.monotonic()

    async def commit(self, consumer: ReadCommittedConsumer) -> None:
        """Commit positions behind which nothing is left to handle, and fetch again what did not arrive."""
        positions = await self._positions(consumer)
        moved = {
            tp: position
            for tp, position in positions.items()
            if not self._outstanding[tp] and position > (consumer._committed_offset[tp] or 0)
        }
        if moved:
            await consumer._commit_offsets(moved)
            for tp, position in moved.items():
                self._handled[tp] = {offset for offset in self._handled[tp] if offset >= position}
        for tp in positions:
            if self._lost(tp):
                offset = min(self._outstanding[tp])
                log.warning("%s[%d] %d was fetched and did not arrive; fetching it again", tp.topic, tp.partition, offset)
                self._moved_at[tp] = time.monotonic()
                await consumer.fetch_again(tp, offset)

    async def behind(self, consumer: ReadCommittedConsumer) -> list[str]:
        """Which partitions hold something that is not handled yet, in words. In the order of ``partitions``:
        each is compared with an end asked for after those before it were found quiet. Raises KafkaException."""
        reasons = []
        for tp in self.partitions:
            end = (await self._ends.of([tp]))[tp]
            position = (await self._positions(consumer)).get(tp)
            if position is None:
                reasons.append(f"{tp.topic}[{tp.partition}] is not assigned yet")
            elif position < end:
                reasons.append(f"{tp.topic}[{tp.partition}] is read to {position} of {end}")
            elif self._outstanding[tp]:
                reasons.append(f"{tp.topic}[{tp.partition}] is handled to {min(self._outstanding[tp])} of {end}")
        return reasons

    async def seen(self, consumer: ReadCommittedConsumer) -> dict[str, dict[str, int]]:
        """For people: position, end, committed offset and records in hand, by ``topic[partition]``. Raises KafkaException."""
        ends = await self._ends.of(self.partitions)
        return {
            f"{tp.topic}[{tp.partition}]": {
                "position": position,
                "end": ends[tp],
                "outstanding": len(self._outstanding[tp]),
                "committed": consumer._committed_offset[tp] or 0,
            }
            for tp, position in (await self._positions(consumer)).items()
        }

    async def _positions(self, consumer: ReadCommittedConsumer) -> dict[TP, int]:
        """Positions now, with ``_outstanding`` brought up to them."""
        # Two looks at once: the second would find the records gone that the first has not noted yet.
        async with self._looking:
            readings = await consumer._thread.readings(self.partitions)
            self._note(readings)
        return {tp: reading.position for tp, reading in readings.items()}

    def _note(self, readings: dict[TP, Reading]) -> None:
        for tp, reading in readings.items():
            if reading.fetched:
                self._moved_at[tp] = time.monotonic()
                # An agent may have been faster than this look.
                self._outstanding[tp].update(offset for offset in reading.fetched if offset not in self._handled[tp])

    def _lost(self, tp: TP) -> bool:
        quiet = time.monotonic() - self._moved_at.get(tp, 0.0) > LOST_S
        return bool(self._outstanding[tp]) and tp not in self._busy and quiet
