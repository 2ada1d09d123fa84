"""What the agents have handled, and so what may be committed; a record that got lost on the way is fetched again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

from faust.types import TP

from features.base.settings import Settings
from retrain.control.faust.committed_reader import ReadCommittedConsumer, Reading
from streams.kafka.end_offsets import Ends

log = logging.getLogger(__name__)

#: The broker answers in milliseconds; longer means that it is not there.
ASK_S = 5.0
#: A record goes from the fetcher to an idle agent in milliseconds; one that takes this long will not come.
LOST_S = 2.0


class EndOffsets:
    """Asks the broker for the ends of partitions, over a connection of its own: on the fetcher's connection
    the question would wait behind a long poll of 1.5 s.

    The ends are those of the log, not the last stable offsets: a producer's commit returns before its markers are
    written, so for some milliseconds a record that is committed already lies beyond the last stable offset.
    """

    def __init__(self, settings: Settings) -> None:
        self._ends = Ends(settings, ASK_S)

    async def of(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Return the ends as they are now. Raises KafkaException."""
        ends = await asyncio.to_thread(self._ends.read, [(tp.topic, tp.partition) for tp in partitions])
        return {TP(*place): end for place, end in ends.items()}


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
        """Note that an agent has a record in hand; return False if it was handled before and came again."""
        if offset in self._handled[tp]:
            self._outstanding[tp].discard(offset)
            return False
        self._busy.add(tp)
        return True

    def handled(self, tp: TP, offset: int) -> None:
        """Note that the record at ``offset`` and all it causes are done."""
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
            if not self._outstanding[tp] and position > consumer.committed_to(tp)
        }
        if moved:
            await consumer.commit_to(moved)
            for tp, position in moved.items():
                self._handled[tp] = {offset for offset in self._handled[tp] if offset >= position}
        for tp in positions:
            if self._lost(tp):
                offset = min(self._outstanding[tp])
                log.warning("%s[%d] %d was fetched and did not arrive; fetching it again", tp.topic, tp.partition, offset)
                self._moved_at[tp] = time.monotonic()
                await consumer.fetch_again(tp, offset)

    async def behind(self, consumer: ReadCommittedConsumer) -> list[str]:
        """Tell which partitions hold something that is not handled yet, in words. In the order of ``partitions``:
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
        """Return, for people, position, end, committed offset and records in hand, by ``topic[partition]``. Raises
        KafkaException."""
        ends = await self._ends.of(self.partitions)
        return {
            f"{tp.topic}[{tp.partition}]": {
                "position": position,
                "end": ends[tp],
                "outstanding": len(self._outstanding[tp]),
                "committed": consumer.committed_to(tp),
            }
            for tp, position in (await self._positions(consumer)).items()
        }

    async def _positions(self, consumer: ReadCommittedConsumer) -> dict[TP, int]:
        """Return the positions now, with ``_outstanding`` brought up to them."""
        # Two looks at once: the second would find the records gone that the first has not noted yet.
        async with self._looking:
            readings = await consumer.readings(self.partitions)
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
