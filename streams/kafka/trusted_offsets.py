"""What a group has committed, as its coordinator says, held against what is known of it.

A broker that was killed can come back with a coordinator that serves offsets of long ago (Kafka 4.4.0, seen under load: of a
quarter of an hour before, until the broker was started once more). Whoever believes it writes everything since then a second
time. Offsets of a group with members never go back, so an answer that lies behind what this member has committed itself, or
behind a snapshot that was made of a committed state, is no answer: it is asked again, however long that takes, and told.

Where nothing is known, a broker that says "nothing" of a partition that has records is asked again for some seconds: that is what
one says that has only begun to load its offsets, and what is right for a group that is new.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.kafka.committed import NOT_YET
from streams.kafka.records import Partition
from streams.kafka.stuck_client import Patience, Probe
from streams.kafka.transactions import Stopped

log = logging.getLogger(__name__)

_ANSWER_S = 15.0
_AGAIN_S = 1.0
#: While a broker loads its offsets, each answer is newer than the one before; the last one stays.
_SAME_S = 2.0
#: The broker is away, or comes back: it will answer.
_AWAY = NOT_YET | {
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._WAIT_COORD,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
}

#: A (topic, partition) and what was answered; returns an offset that is known to have been committed, or 0.
Evidence = Callable[[Partition, int], int]


class _Settling:
    """When a broker is believed that said "nothing": once that, or what it says instead, has lasted."""

    def __init__(self, new_s: float) -> None:
        self._new_s = new_s
        self._began = self._since = time.monotonic()
        self._last: list[int] = []
        self._nothing = False

    def over(self, offsets: list[int], nothing: bool) -> bool:
        clock_s = time.monotonic()
        if offsets != self._last:
            self._last, self._since = offsets, clock_s
        if nothing and not self._nothing:
            # From the first such answer on: the time in which there was none says nothing.
            self._began, self._nothing = clock_s, True
        if nothing:
            return clock_s - self._began >= self._new_s
        return not self._nothing or clock_s - self._since >= _SAME_S


class Told:
    """Of one member. ``stop`` ends every wait; ``new_s``: how long "nothing" is asked again; ``probe``: see
    ``streams.kafka.stuck_client``.
    ``doubt``: what is wrong with the last answer, in words; None where nothing is."""

    def __init__(self, name: str, stop: threading.Event, new_s: float = 0.0, probe: Probe = lambda: False) -> None:
        self.doubt: str | None = None
        self._name = name
        self._stop = stop
        self._new_s = new_s
        self._probe = probe
        self._known: dict[Partition, int] = {}

    def note(self, committed: Mapping[Partition, int]) -> None:
        """Note what was committed."""
        self._known.update(committed)

    def committed(self, source: Consumer, partitions: list[TopicPartition], evidence: Evidence) -> list[TopicPartition]:
        """Return what is committed of these, as soon as the answer can be believed. Raises Stopped; KafkaException where asking
        again cannot help, ClientStuck."""
        settling, patience = _Settling(self._new_s), Patience(self._name, self._probe)
        while partitions:
            committed = self._ask(source, partitions, evidence, settling, patience)
            if committed is not None:
                self.note({(tp.topic, tp.partition): tp.offset for tp in committed})
                return committed
            if self._stop.wait(_AGAIN_S):
                raise Stopped
        return []

    def _ask(
        self,
        source: Consumer,
        partitions: list[TopicPartition],
        evidence: Evidence,
        settling: _Settling,
        patience: Patience,
    ) -> list[TopicPartition] | None:
        """Ask once. None: there is no answer, or none to believe yet."""
        try:
            committed: list[TopicPartition] = source.committed(partitions, _ANSWER_S)
            self.doubt = self._doubt(committed, evidence)
            over = settling.over([tp.offset for tp in committed], any(self._says_nothing(source, tp) for tp in committed))
        except KafkaException as error:
            if error.args[0].code() not in _AWAY:
                raise
            log.warning("%s: waits for what its group has committed: %s", self._name, error.args[0].str())
            patience.failed("has waited for what its group has committed")
            return None
        if self.doubt is not None:
            log.error("%s: %s", self._name, self.doubt)
            return None
        return committed if over else None

    def _says_nothing(self, source: Consumer, tp: TopicPartition) -> bool:
        """Tell whether nothing was committed, and there is something to read, and nothing better is known."""
        if self._new_s <= 0 or tp.offset >= 0 or (tp.topic, tp.partition) in self._known:
            return False
        first, end = source.get_watermark_offsets(TopicPartition(tp.topic, tp.partition), _ANSWER_S)
        return bool(end > first)

    def _doubt(self, committed: list[TopicPartition], evidence: Evidence) -> str | None:
        for tp in committed:
            place, offset = (tp.topic, tp.partition), max(tp.offset, 0)
            answer = f"the broker says that {tp.topic}[{tp.partition}] is committed up to {offset}"
            then = "it is asked again, and nothing is processed twice meanwhile; restart the broker, then this, if it lasts"
            if offset < (own := self._known.get(place, 0)):
                return f"{answer}, and this process has committed {own}: {then}"
            if offset < (other := evidence(place, offset)):
                return (
                    f"{answer}, and there is a snapshot of what was committed up to {other}: {then}, or, where the offsets were"
                    " moved back on purpose, remove the snapshots (snapshots.path)"
                )
        return None
