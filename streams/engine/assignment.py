"""The partitions that a member has in hand: what is committed of each, and how their state comes and goes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from features.base.settings import Settings, SettingsError
from streams import topics
from streams.engine import commit_metadata, metrics
from streams.engine.core import Core, Snapshotted
from streams.engine.replay_log import Span, replay
from streams.engine.settings_history import Limited, went_on
from streams.engine.snapshot_schedule import Keeper
from streams.kafka.broker import KAFKA, Broker
from streams.kafka.records import Partition, Record
from streams.kafka.stuck_client import Probe
from streams.kafka.transactions import Stopped
from streams.kafka.trusted_offsets import Told

log = logging.getLogger(__name__)

#: Longest wait for the broker to say where a partition ends; after one in vain it is not asked for the others.
_ASK_S = 1.0
_END_S = 30.0
#: So long a log may end before what is committed, looked at so often.
_BACK_S, _LOOK_AGAIN_S = 30.0, 0.5


class InHand:
    """Assigned and taken away, each with its state; cooperative: one partition at a time, else all at once."""

    def __init__(
        self,
        settings: Settings,
        core: Core,
        keeper: Keeper | None,
        stop: threading.Event,
        new_s: float,
        alive: Callable[[], None] = lambda: None,
        probe: Probe = lambda: False,
        broker: Broker = KAFKA,
    ) -> None:
        """Begin without partitions. ``stop`` ends every wait; ``new_s``: see ``streams.kafka.trusted_offsets``; ``alive`` is
        called as a long log is read again; ``probe``: see ``streams.kafka.stuck_client``; ``broker``: where the clients come from
        that read a log again."""
        self._alive = alive
        self._broker = broker
        self._stop = stop
        self.offsets = Told(core.name, stop, new_s, probe)
        self._settings = settings
        self._core = core
        self._keeper = keeper
        # A member of several topics needs their partitions of one number together: range gives that, cooperative-sticky does not.
        self.cooperative = len(core.inputs) == 1
        #: By partition: up to where it is committed.
        self.committed: dict[Partition, int] = {}
        #: By partition: what each commit carries along (``streams.engine.commit_metadata``).
        self.notes: dict[Partition, str] = {}
        #: By partition: the end that was seen last. It may lie beyond commit markers.
        self.ends: dict[Partition, int] = {}
        #: Since when the group has gone on without us, and has assigned nothing, not even no partitions, as to a spare member.
        self.left_since: float | None = None

    def partitions(self) -> list[TopicPartition]:
        return [TopicPartition(*partition) for partition in self.committed]

    def read(self) -> dict[Partition, int]:
        """Return up to where each partition was read."""
        return {place: max(offset, self.ends.get(place, 0)) for place, offset in self.committed.items()}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Note what was committed."""
        self.committed.update(offsets)
        self.offsets.note(offsets)

    def behind(self) -> dict[Partition, int]:
        """Return the ends that lie beyond what is committed."""
        return {place: end for place, end in self.ends.items() if end > self.committed.get(place, end)}

    def tell_lag(self, source: Consumer, *, ask: bool = False) -> None:
        """Set the metric. ``ask``: the broker, which takes a moment a partition; else by what the last fetches said."""
        for (topic, partition), offset in self.committed.items():
            try:
                high = source.get_watermark_offsets(TopicPartition(topic, partition), timeout=_ASK_S, cached=not ask)[1]
            except KafkaException:
                return  # it is away, and the next time tells
            end = max(self.ends.get((topic, partition), 0), high)
            metrics.LAG.labels(self._core.name, topic, partition).set(max(0, end - max(offset, 0)))

    def assign(self, source: Consumer, partitions: list[TopicPartition], *, paused: bool) -> None:
        """Take the partitions that the group gave: bring back their state, and read on from where it stands. Raises SettingsError
        where a topic has more partitions than it should."""
        name = self._core.name
        for tp in partitions:
            if tp.topic in topics.SPREAD and tp.partition >= self._settings.partitions:
                raise SettingsError(
                    f"topic {tp.topic} has more than the {self._settings.partitions} partitions that it was made with, so "
                    "subjects "
                    "may have moved away from their history; start a platform of that many partitions in another folder, and "
                    "publish the history there (driftloop replay). Next time let driftloop repartition add them, which moves the "
                    "histories along"
                )
        positions = self._restore(source, partitions)
        self.left_since = None
        metrics.REBALANCES.labels(name, "assigned").inc()
        metrics.PARTITIONS.labels(name).set(len(self.committed))
        log.info("%s: %d partitions assigned, %d in hand", name, len(partitions), len(self.committed))
        if self.cooperative:
            source.incremental_assign(positions)
        else:
            source.assign(positions)
        # A pause outlives the assignment: a partition that was lost while it was paused would come back paused.
        (source.pause if paused else source.resume)(partitions)

    def revoke(self, source: Consumer, partitions: list[TopicPartition], *, clean: bool) -> None:
        """Hand over in good order. ``clean``: the states are as of what is committed, and are kept for whoever comes next."""
        if self._keeper is not None and clean:
            self._keeper.last({(tp.topic, tp.partition): self.committed.get((tp.topic, tp.partition), 0) for tp in partitions})
        self._give_up(source, partitions, "revoked")

    def lose(self, source: Consumer, partitions: list[TopicPartition]) -> None:
        """Give up partitions that others have already: the group went on without us."""
        self.left_since = time.monotonic()
        self._give_up(source, partitions, "lost")

    def start_over(self, source: Consumer, *, clean: bool) -> None:
        """Forget every state, bring it back as of what is committed, and read on from there. ``clean``: the states are as of that
        already, and are kept first, for their logs may not go back far enough any more."""
        partitions = self.partitions()
        if self._keeper is not None and clean:
            self._keeper.last(self.committed)
        self._core.forget(list(self.committed))
        if self._keeper is not None:
            self._keeper.forget(self.committed)
        self.ends.clear()
        positions = self._restore(source, partitions)
        for tp in positions:
            try:
                source.seek(tp)
            except KafkaException:
                # librdkafka reads a partition whose log was cut no more, and cannot seek in it: it must be given anew.
                if self.cooperative:
                    source.incremental_unassign([tp])
                    source.incremental_assign([tp])
                else:
                    source.assign(positions)
                    break

    def _restore(self, source: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Bring back the state of these partitions; return where each is to be read from."""
        began = time.monotonic()
        committed = self.offsets.committed(source, partitions, partial(self._evidence, source))
        spans: dict[Partition, Span] = {}
        copied: dict[Partition, int] = {}
        for tp in committed:
            place = (tp.topic, tp.partition)
            self.committed[place] = max(tp.offset, -1)
            note = self._note(place, tp)
            copied[place], self.notes[place] = note.copied, note.text()
        for topic in self._core.replays:
            for tp in committed:
                if tp.topic == topic:
                    place, offset = (topic, tp.partition), max(tp.offset, 0)
                    begin = self._keeper.load(place, offset) if self._keeper is not None else 0
                    spans[place] = Span(begin, offset, copied[place])
        try:
            count = replay(self._settings, spans, self._restored, self._trimmed, broker=self._broker)
        except BaseException:
            # Half a state must not become anybody's snapshot.
            for place in [(tp.topic, tp.partition) for tp in committed]:
                self.committed.pop(place, None)
            raise
        metrics.RESTORED.labels(self._core.name).inc(count)
        metrics.RESTORE_SECONDS.labels(self._core.name).observe(time.monotonic() - began)
        log.info("%s: %d records replayed in %.1f s", self._core.name, count, time.monotonic() - began)
        # Now, for the log may have been cut while it was read.
        return self._positions(source, committed)

    def _positions(self, source: Consumer, committed: list[TopicPartition]) -> list[TopicPartition]:
        """Return where each is to be read from: exactly where the state is as of, not where the group would say if it were asked
        once more; the log's beginning, where that lies behind it. Raises SettingsError where a log ends before."""
        positions, away = [], False
        for tp in committed:
            offset, place = tp.offset, (tp.topic, tp.partition)
            if offset < 0:
                offset = OFFSET_BEGINNING
            elif not away:
                try:
                    log_begin = self._beginning(source, place, offset)
                except KafkaException:
                    away = True  # should the log be cut, it says so when it is read
                else:
                    if offset < log_begin and tp.topic not in self._core.replays:  # of the others, ``replay`` tells
                        self._trimmed(place, offset, log_begin)
                    offset = max(offset, log_begin)
            positions.append(TopicPartition(tp.topic, tp.partition, offset))
        return positions

    def _beginning(self, source: Consumer, place: Partition, offset: int) -> int:
        """Return the beginning of the log that was read up to ``offset``. A broker that has just come back may not know its end
        yet."""
        deadline = time.monotonic() + _BACK_S
        while True:
            log_begin, end = source.get_watermark_offsets(TopicPartition(*place), timeout=_ASK_S)
            if offset <= end:
                return int(log_begin)
            if time.monotonic() > deadline:
                raise SettingsError(
                    f"{place[0]}[{place[1]}] ends at {end}, and {self._core.name} has read it up to {offset}: it is another log, "
                    "or has lost its end, and which one nobody here can know. Set the group's offsets (kafka-consumer-groups "
                    "--reset-offsets): to the beginning of another log, to the end of one that lost its end"
                )
            if self._stop.wait(_LOOK_AGAIN_S):
                raise Stopped
            self._alive()

    def _restored(self, records: Sequence[Record]) -> None:
        if self._stop.is_set():
            raise Stopped
        self._core.restore(records)
        self._alive()

    def _note(self, place: Partition, committed: TopicPartition) -> commit_metadata.Note:
        """Return what was committed along, and by what limits it goes on from there; tell the core."""
        note, core = commit_metadata.read(committed.metadata), self._core
        if not isinstance(core, Limited):
            return note
        note = note._replace(limits=went_on(note.limits, max(committed.offset, 0), core.limits))
        core.decided(place, note.limits)
        return note

    def _evidence(self, source: Consumer, place: Partition, committed: int) -> int:
        """Return up to where a snapshot says that it was committed (``streams.kafka.trusted_offsets``)."""
        if self._keeper is None or place[0] not in self._core.replays:
            return 0
        newest = self._keeper.ahead(place, committed)
        # One beyond the log's end is of another log: a topic was made anew under the same name.
        return newest if newest and newest <= self._end(source, place) else 0

    @staticmethod
    def _end(source: Consumer, place: Partition) -> int:
        return int(source.get_watermark_offsets(TopicPartition(*place), timeout=_END_S)[1])

    def _trimmed(self, partition: Partition, begin: int, log_begin: int) -> None:
        """Say loudly that the log does not go back far enough, and go on with what there is."""
        metrics.TRIMMED.labels(self._core.name).inc()
        lost = max(0, log_begin - max(begin, self.committed.get(partition, 0)))
        log.error(
            "%s: the log of %s[%d] begins at %d, and the state should be read from %d on: history is lost, and %d records that "
            "were never processed%s; give the topic a longer retention, or keep snapshots younger than it",
            self._core.name,
            *partition,
            log_begin,
            begin,
            lost,
            "; scores are marked cold until the longest window has passed" if self._keeper is not None else "",
        )
        if isinstance(self._core, Snapshotted):
            self._core.begins_late(partition[1])

    def _give_up(self, source: Consumer, partitions: list[TopicPartition], what: str) -> None:
        gone = {(tp.topic, tp.partition): 0 for tp in partitions}
        self._core.forget(list(gone))
        if self._keeper is not None:
            self._keeper.gone(gone)
        for place in gone:
            # What this member knew of it would stand on its page for ever, beside what its new owner says.
            with suppress(KeyError):
                metrics.LAG.remove(self._core.name, *place)
            self.ends.pop(place, None)
            self.committed.pop(place, None)
            self.notes.pop(place, None)
        metrics.REBALANCES.labels(self._core.name, what).inc()
        metrics.PARTITIONS.labels(self._core.name).set(len(self.committed))
        log.info("%s: %d partitions %s, %d in hand", self._core.name, len(partitions), what, len(self.committed))
        if self.cooperative:
            source.incremental_unassign(partitions)
        else:
            source.unassign()
