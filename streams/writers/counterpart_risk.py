"""Counterpart risk: outcomes in, tiles of each touched counterpart out to Feast, online and offline.

Outcomes are keyed by counterpart, so a counterpart's outcomes lie in one partition and its tiles are a function of that
partition's log: on a restart the log is read again (``replays``). Each row says what was known after the outcome at ``revision``
(its offset, and more after a repartition: ``features.archive.generations``), so a row that another batching would not have
written is still true.

Guarantee: online, the tiles of every outcome, newest wins (a batch may be written again after a crash and changes nothing);
offline, each row once, and for each counterpart and step of hours the last row of the step. Files are merged in the background
(``streams.writers.compaction_watch``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import redis

from features.archive import generations, stores
from features.archive.generations import Generations
from features.base.events import Outcome
from features.base.settings import Settings
from features.catalogue.windows import HOUR_MS
from features.offline.point_in_time import append_counterpart_risk
from features.online.store import CounterpartRow, OnlineWriter
from features.transform.counterpart_tiles import Counterpart, keep_hours, update
from streams import topics
from streams.engine.codec import BatchDecoder
from streams.engine.core import Output
from streams.engine.shell import NEW_S, SINK_BATCH, Shell
from streams.kafka.records import Partition, Record


@dataclass(frozen=True, slots=True)
class PartitionRows:
    """Rows of one batch from one partition (the archive's number), whose outcomes are of the revisions ``first`` to ``last``.

    ``counterparts`` has each touched counterpart as it is now; ``earlier`` as it was at the end of each step that the batch
    passed: a batch that catches up may span many days, and a point-in-time join must find what was known at each step. Steps are
    those of the label horizon, a delay later: ``k * step + delay`` for whole k is when
    ``features.offline.point_in_time.point_in_time`` asks.
    """

    partition: int
    first: int
    last: int
    counterparts: list[CounterpartRow]
    earlier: list[CounterpartRow]


class CounterpartRisk:
    """Pure core. State: the counterparts of each partition. Rows are PartitionRows, one a partition in the batch."""

    name = "counterpart-risk"
    inputs: tuple[str, ...] = (topics.OUTCOMES,)
    outputs: tuple[str, ...] = (topics.DLQ,)
    replays: tuple[str, ...] = (topics.OUTCOMES,)

    def __init__(self, delay_ms: int, step_ms: int, generations: Generations | None = None) -> None:
        self._generations = generations or Generations()
        self._keep = keep_hours(delay_ms)
        self._delay, self._step = delay_ms, step_ms
        self._decoder = BatchDecoder(Outcome, self.name)
        self._counterparts: dict[int, dict[str, Counterpart]] = {}

    def process(self, records: Sequence[Record]) -> Output:
        """Count the outcomes; one row for each counterpart that they touched, and for each step of hours that they passed."""
        good, outcomes, letters = self._decoder.decode(records)
        output = Output(letters, newest_ms=max((outcome.event_time_ms for outcome in outcomes), default=None))
        touched: dict[int, dict[str, int]] = {}
        earlier: dict[int, list[CounterpartRow]] = {}
        spans: dict[int, tuple[int, int]] = {}
        for record, outcome in zip(good, outcomes, strict=True):
            counterparts = self._counterparts.setdefault(record.partition, {})
            revisions = touched.setdefault(record.partition, {})
            revision = revisions.get(outcome.counterpart)
            if revision is not None:
                known = counterparts[outcome.counterpart]
                if self._step_of(outcome.outcome_time_ms) > self._step_of(known.as_of_ms):
                    earlier.setdefault(record.partition, []).append(_row(outcome.counterpart, known, revision))
            update(counterparts, [outcome], self._keep)
            revision = record.offset + self._generations.revisions
            revisions[outcome.counterpart] = revision
            spans[record.partition] = (spans.get(record.partition, (revision, 0))[0], revision)
        for partition, revisions in touched.items():
            counterparts = self._counterparts[partition]
            rows = [_row(counterpart, counterparts[counterpart], revision) for counterpart, revision in revisions.items()]
            number = self._generations.partition(partition)
            output.rows.append(PartitionRows(number, *spans[partition], rows, earlier.get(partition, [])))
        return output

    def _step_of(self, outcome_time_ms: int) -> int:
        return (outcome_time_ms - self._delay) // self._step

    def restore(self, records: Sequence[Record]) -> None:
        """Count outcomes that were processed before; bad ones have their dead letter already."""
        self.process(records)

    def forget(self, partitions: Sequence[Partition]) -> None:
        """Drop the counterparts of these partitions."""
        for topic, partition in partitions:
            if topic == topics.OUTCOMES:
                self._counterparts.pop(partition, None)


def _row(counterpart: str, known: Counterpart, revision: int) -> CounterpartRow:
    return CounterpartRow(counterpart, known.as_of_ms, known.tiles, revision)


class CounterpartRiskSink:
    """Offline first, then online, so that training never misses what the scorer saw."""

    unavailable: tuple[type[Exception], ...] = (redis.RedisError, OSError)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._writer = OnlineWriter(settings)

    def write(self, rows: list[PartitionRows]) -> None:
        for part in rows:
            append_counterpart_risk(self._settings, part.earlier + part.counterparts, part.partition, part.last)
            self._writer.write_counterpart_risk(part.counterparts)

    def close(self) -> None:
        self._writer.close()


def build(settings: Settings) -> Shell:
    """Build the writer with its shell."""
    core = CounterpartRisk(
        settings.labels.delay_ms, settings.labels.step_hours * HOUR_MS, generations.read(stores.archive(settings))
    )
    return Shell(settings, core, CounterpartRiskSink(settings), SINK_BATCH, settings.writers.linger_s, new_s=NEW_S)
