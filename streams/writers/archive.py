"""Archive: scores and outcomes in, Parquet by event day out, each record once.

Guarantee: each record of scores and outcomes that is in no dead letter is in exactly one row, after any crash.

A file holds records of one day and one partition and is named by its first and last offset:
``archive/scores/day=2018-04-01/scores-2-000000000812-000000001405.parquet``. The shell hands records over in offset order, so
whatever a day and partition have up to the highest offset in their file names is there, and a replayed record at or below it is
skipped. A file appears whole before the offsets are committed; looking and writing are one step among writers
(``features.archive.locks``). Then ``archive/manifest.json`` says how far it is complete (``features.archive.manifest``).
Small files are merged in the background (``streams.writers.compaction_watch``). Partitions have the archive's numbers, which go
on after a repartition (``features.archive.generations``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import pyarrow as pa

from features.archive import generations, layout, manifest, stores
from features.archive.compaction import covered
from features.archive.days import day_name
from features.archive.generations import Generations
from features.archive.locks import WRITE
from features.archive.manifest import Through
from features.base import names
from features.base.active import DOMAIN
from features.base.broker_names import plain
from features.base.durations import DAY_MS
from features.base.events import Outcome, Score
from features.base.settings import Settings
from features.catalogue.vector import WIDTH, unpacked, vector_schema
from streams import topics
from streams.engine.codec import BatchDecoder
from streams.engine.core import Output, dead_letter
from streams.engine.shell import NEW_S, SINK_BATCH, Shell
from streams.kafka.records import Partition, Record

_PLACE = ("kafka_partition", "kafka_offset")
_OF_A_SCORE = (*DOMAIN.event.__struct_encode_fields__, *Score.__struct_fields__, "event_timestamp", *_PLACE)
_OF_AN_OUTCOME = (*Outcome.__struct_fields__, *_PLACE)
names.check("features.archive.layout.SCORES", layout.SCORES.names, _OF_A_SCORE, "field of Score or its Event")
names.check("features.archive.layout.OUTCOMES", layout.OUTCOMES.names, _OF_AN_OUTCOME, "field of Outcome")


@dataclass(frozen=True, slots=True)
class Archived:
    """One record for the archive, with its offset in Kafka and the archive's number of its partition. ``topic``: without a
    prefix, as folders and files are called."""

    topic: str
    partition: int
    offset: int
    event: Score | Outcome

    @property
    def event_time_ms(self) -> int:
        """Return the transaction's event time in ms."""
        event = self.event
        return event.event.event_time_ms if isinstance(event, Score) else event.event_time_ms

    @property
    def day(self) -> int:
        """Return the days since 1970, UTC, of the transaction."""
        return self.event_time_ms // DAY_MS


class WrongWidth(ValueError):
    """A score's vector is not as long as its schema says."""


class Archive:
    """Pure core: decodes. No state. Rows are Archived.

    ``schema``: the vectors that must be WIDTH long; ``generations``: those of the log that is read.
    """

    name = "archive"
    inputs: tuple[str, ...] = (topics.SCORES, topics.OUTCOMES)
    outputs: tuple[str, ...] = (topics.DLQ,)
    replays: tuple[str, ...] = ()

    def __init__(self, schema: str, generations: Generations | None = None) -> None:
        self._schema = schema
        self._number = (generations or Generations()).partition
        self._scores = BatchDecoder(Score, self.name)
        self._outcomes = BatchDecoder(Outcome, self.name)

    def process(self, records: Sequence[Record]) -> Output:
        scores, score_events, score_letters = self._scores.decode(r for r in records if r.topic == topics.SCORES)
        outcomes, outcome_events, outcome_letters = self._outcomes.decode(r for r in records if r.topic == topics.OUTCOMES)
        rows: list[Archived] = []
        for record, event in zip(scores, score_events, strict=True):
            if event.schema == self._schema and len(event.features) != 4 * WIDTH:
                # One such row would fail every training whose window holds it.
                reason = WrongWidth(f"features has {len(event.features) // 4} values, and schema {self._schema} has {WIDTH}")
                score_letters.append(dead_letter(record, self.name, reason))
            else:
                rows.append(self._archived(record, event))
        rows += [self._archived(record, event) for record, event in zip(outcomes, outcome_events, strict=True)]
        return Output(score_letters + outcome_letters, rows, max((row.event_time_ms for row in rows), default=None))

    def restore(self, records: Sequence[Record]) -> None:
        """Do nothing: there is nothing to restore."""

    def forget(self, partitions: Sequence[Partition]) -> None:
        """Do nothing: there is nothing to forget."""

    def _archived(self, record: Record, event: Score | Outcome) -> Archived:
        return Archived(plain(record.topic), self._number(record.partition), record.offset, event)


class ArchiveSink:
    """Writes the core's rows. Looks at the folder each time, since another member may have written there in between."""

    #: A full disk, or one that is away.
    unavailable: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, settings: Settings) -> None:
        self._store = stores.archive(settings)

    def write(self, rows: list[Archived]) -> None:
        """Write one file for each topic, day and partition in ``rows`` that holds anything new."""
        groups: dict[tuple[str, int, int], list[Archived]] = {}
        for row in rows:
            groups.setdefault((row.topic, row.day, row.partition), []).append(row)
        with self._store.lock(WRITE):
            stored = {(topic, day): covered(self._store.names(_folder(topic, day))) for topic, day, _ in groups}
            for (topic, day, partition), group in groups.items():
                last = stored[topic, day].get(partition, -1)
                new = [row for row in group if row.offset > last]
                if new:
                    name = f"{topic}-{partition}-{new[0].offset:012d}-{new[-1].offset:012d}.parquet"
                    layout.put(table(topic, new), self._store, f"{_folder(topic, day)}/{name}")
            manifest.advance(self._store, _through(rows))

    def close(self) -> None:
        """Do nothing: nothing is held open."""


def _folder(topic: str, day: int) -> str:
    return f"{topic}/{day_name(day)}"


def _through(rows: Sequence[Archived]) -> dict[Partition, Through]:
    now_ms = time.time_ns() // 1_000_000
    by_partition: dict[Partition, Through] = {}
    for row in rows:
        through = by_partition.setdefault((row.topic, row.partition), Through(0, 0, now_ms))
        through.next_offset = max(through.next_offset, row.offset + 1)
        through.newest_event_ms = max(through.newest_event_ms, row.event_time_ms)
    return by_partition


def table(topic: str, rows: Sequence[Archived]) -> pa.Table:
    """Make a table of rows of one topic (its plain name): layout.SCORES with the transaction's fields in line, or
    layout.OUTCOMES."""
    flat = []
    for row in rows:
        place = {"kafka_partition": row.partition, "kafka_offset": row.offset}
        event = row.event
        if isinstance(event, Score):
            time = {"event_timestamp": event.event.event_time_ms * 1000}
            vector = {"features": unpacked(event.features)}
            flat.append(_fields(event.event) | _fields(event) | vector | time | place)
        else:
            flat.append(_fields(event) | place)
    schema = layout.SCORES if topic == plain(topics.SCORES) else layout.OUTCOMES
    columns = {field.name: [row[field.name] for row in flat] for field in schema}
    return pa.table(columns, schema=schema)


def _fields(event: msgspec.Struct) -> dict[str, object]:
    """Return the fields by their names on the wire."""
    names_on_the_wire = zip(event.__struct_encode_fields__, event.__struct_fields__, strict=True)
    return {name: getattr(event, attribute) for name, attribute in names_on_the_wire}


def build(settings: Settings) -> Shell:
    """Build the archive with its shell."""
    core = Archive(vector_schema(settings.features), generations.read(stores.archive(settings)))
    return Shell(settings, core, ArchiveSink(settings), SINK_BATCH, settings.writers.linger_s, new_s=NEW_S)
