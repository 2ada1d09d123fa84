"""Phase ``copying``: every spread topic into a temporary one of the new number of partitions, by key. Nothing is changed yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec
import numpy as np

from features.base import names
from features.base.durations import DAY_MS
from features.base.events import NAMES_ON_THE_WIRE, Alert, Event, Label, Outcome, Score
from features.base.settings import Settings
from features.transform.arrow import HISTORY_MS
from infra.errors import PlatformError
from infra.platform.repartition_journal import Journal
from infra.repartition.logs import HELD, Reader, Writer
from infra.repartition.marks import Marks
from infra.repartition.merged import merged, time_of
from streams import topics
from streams.engine.codec import UNREADABLE, Decoder
from streams.engine.homes import Homes
from streams.engine.partitioner_setting import homes_of
from streams.engine.repartition_header import HEADER, negative
from streams.engine.settings_history import History
from streams.kafka.partitioners import HASHES, Name
from streams.kafka.records import Record
from streams.labels.label_intake import LabelIntake
from streams.scoring.admission.admission import Admission
from streams.scoring.intake import Intake, admission, limits_of
from streams.scoring.measures import Measures
from streams.wire import wire as registered
from streams.wire.wire import Wire

#: Told (what, of how many records) as it goes on.
Tell = Callable[[str, int], None]

#: In this order, so that what is told reads as the data walks.
SPREAD = tuple(name for name in topics.NAMES if name in topics.SPREAD)


def temporary(topic: str) -> str:
    """Return the name of a topic's copy."""
    return f"driftloop-copy-{topic}"


class _OfProducers(msgspec.Struct, gc=False, rename=NAMES_ON_THE_WIRE):
    subject: str


class _OfOurs(msgspec.Struct, gc=False):
    subject: str


for _event in (Event, Label):
    names.check_view(_OfProducers, _event)
for _said in (Score, Alert, Outcome):
    names.check_view(_OfOurs, _said)


class Target:
    """The new partition of a record: its subject's. What a producer took for a key does not count (``streams.engine.homes``)."""

    def __init__(self, partitioner: Name, partitions: int, wire: Wire | None = None) -> None:
        self._hashed = HASHES[partitioner]
        self._partitions = partitions
        self._of_producers = Decoder(_OfProducers, wire).decode
        self._of_ours = Decoder(_OfOurs).decode

    def __call__(self, record: Record) -> int:
        if record.topic == topics.OUTCOMES and record.key:
            # Written by the label joiner alone, keyed by the counterpart; its producer spreads keys as Java does.
            return HASHES["murmur2"](record.key) % self._partitions
        try:
            read = self._of_producers if record.topic in (topics.EVENTS, topics.LABELS) else self._of_ours
            key = read(record).subject.encode()
        except UNREADABLE:
            return record.partition % self._partitions
        return self._hashed(key) % self._partitions


class Taken:
    """Of transactions, those that the scorer took, by what its restore would say of the old log."""

    def __init__(self, settings: Settings, histories: Mapping[int, History]) -> None:
        """Set up with ``histories``: by partition, by what it was processed (``streams.engine.settings_history``)."""
        self._admissions: dict[int, Admission] = {}
        self._settings = settings
        # Those that lay elsewhere than their subject's were moved, and the moved ones were taken.
        own = Measures(settings), homes_of(settings), registered.of(settings)
        self._intake = Intake(settings.scoring, self._of, *own)
        self._measures: dict[tuple[int, int], int] = {}
        for partition, history in histories.items():
            self._intake.decided((topics.EVENTS, partition), history)

    def __call__(self, records: list[Record]) -> list[Record]:
        """Return those of ``records`` that were taken. They are of one partition and follow those of the call before."""
        kept = []
        for taken in self._intake.again(records):
            kept += taken.records
            counted = np.where(taken.unknown, -1, taken.columns.measure).tolist()
            for record, event, measure in zip(taken.records, taken.events, counted, strict=True):
                if measure != event.measure:
                    self._measures[record.partition, record.offset] = measure
        return kept

    def measure(self, record: Record) -> int | None:
        """Return what was counted of a record that was taken, where that is not the event's own measure; asked for once."""
        return self._measures.pop((record.partition, record.offset), None)

    def _of(self, partition: int) -> Admission:
        if partition not in self._admissions:
            self._admissions[partition] = admission(self._settings.scoring)
        return self._admissions[partition]


class TakenLabels:
    """Of labels, those that the label joiner took. One that it refused would be read again as a copy, that is, as taken."""

    def __init__(self, lead_ms: int, homes: Homes, histories: Mapping[int, History], wire: Wire | None = None) -> None:
        """Set up with ``lead_ms`` and ``homes``: where ``histories``, by partition, does not say by what it was processed
        (``streams.engine.settings_history``)."""
        self._intake = LabelIntake(lead_ms, homes, wire)
        for partition, history in histories.items():
            self._intake.decided((topics.LABELS, partition), history)

    def __call__(self, records: list[Record]) -> list[Record]:
        """Return those of ``records`` that were taken. They are of one partition and follow those of the call before."""
        taken, _ = self._intake.again(records)
        return taken


def look(settings: Settings, journal: Journal, begins: dict[int, int], tell: Tell) -> Marks:
    """Read what decides: how far the processors had come. ``begins``: of ``transactions``, by partition.

    Raises PlatformError where the beginning of the log that is needed is gone.
    """
    delays = journal.topics[topics.SCORES].limits
    marks = Marks(journal.before, settings.labels.delay_ms, delays)
    wire = registered.of(settings)
    with _reader(settings, journal) as reader:
        for topic in (topics.EVENTS, topics.SCORES, topics.OUTCOMES):
            seen = 0
            for partition, end in journal.topics[topic].ends.items():
                first = newest = None
                for records in _pieces(reader, journal, topic, partition, end):
                    seen += len(records)
                    if topic in (topics.SCORES, topics.OUTCOMES):
                        marks.see(records)
                    if topic == topics.EVENTS and begins.get(partition, 0) > 0:
                        times = [time for record in records if (time := time_of(record, wire)) is not None]
                        first = min(times, default=None) if first is None else first
                        newest = max(times, default=newest)
                if begins.get(partition, 0) > 0 and topic == topics.EVENTS:
                    _reaches_back(partition, begins[partition], first, newest)
            tell(f"{topic} looked at", seen)
    marks.settle()
    return marks


def _reaches_back(partition: int, begin: int, first: int | None, newest: int | None) -> None:
    if first is None or newest is None or newest - first < HISTORY_MS:
        raise PlatformError(
            f"the log of {topics.EVENTS}[{partition}] begins at {begin} only, and reaches back less than the "
            f"{HISTORY_MS // DAY_MS} days that subjects' histories need, so they cannot be rebuilt from it; start a platform of "
            "that many partitions in another folder, and publish the history there"
        )


def copy(settings: Settings, journal: Journal, marks: Marks, tell: Tell) -> None:
    """Fill the temporary topics, which are there and empty, and write into the journal how many records they hold."""
    wire = registered.of(settings)
    target = Target(journal.partitioner, journal.partitions, wire)
    with _reader(settings, journal) as reader, Writer(settings) as writer:
        for topic in SPREAD:
            taken = taken_of(settings, topic, journal.topics[topic].limits)
            parts = [_part(_pieces(reader, journal, topic, p, end), taken) for p, end in journal.topics[topic].ends.items()]
            copied = 0
            measure = taken.measure if isinstance(taken, Taken) else _nothing
            for record in merged(parts, wire):
                headers = [header for header in record.headers if header[0] != HEADER]
                writer.put(
                    temporary(topic),
                    target(record),
                    record,
                    [*headers, marks.of(record)._replace(measure=measure(record)).header()],
                )
                copied += 1
            writer.flush()
            counts = {p: writer.counts.get((temporary(topic), p), 0) for p in range(journal.partitions)}
            if any(writer.newest.get((temporary(topic), p), -1) != count - 1 for p, count in counts.items()):
                raise PlatformError(f"somebody else writes to {temporary(topic)}; end that, and run it again")
            journal.topics[topic].counts = counts
            tell(f"{topic} copied", copied)


def _nothing(record: Record) -> int | None:
    return None


def taken_of(settings: Settings, topic: str, histories: Mapping[int, History]) -> Taken | TakenLabels | None:
    """Tell which of a topic's records are copied; None: all."""
    if topic == topics.EVENTS:
        return Taken(settings, histories)
    if topic == topics.LABELS:
        return TakenLabels(limits_of(settings.scoring).lead_ms, homes_of(settings), histories, registered.of(settings))
    return None


def _part(pieces: Iterator[list[Record]], taken: Taken | TakenLabels | None) -> Iterator[list[Record]]:
    for records in pieces:
        yield records if taken is None else taken(records)


def _pieces(reader: Reader, journal: Journal, topic: str, partition: int, end: int) -> Iterator[list[Record]]:
    """Yield the old partition as a restore reads it: only what an earlier repartition copied says that it is a copy."""
    copies = journal.topics[topic].copies.get(partition, 0)
    for records in reader.pieces(topic, partition, 0, end):
        yield [negative(record, copies) for record in records]


def _reader(settings: Settings, journal: Journal) -> Reader:
    return Reader(settings, max(500, HELD // journal.before))
