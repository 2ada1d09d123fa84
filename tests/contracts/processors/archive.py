"""The archive, with its real sink: each record in one row of Parquet."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq

from features.base.events import Outcome
from features.base.settings import Settings
from features.catalogue.vector import vector_schema
from streams import topics
from streams.engine.core import Sink
from streams.kafka.records import Record
from streams.writers.archive import Archive, ArchiveSink
from tests.contracts.processors.contract import DAY, T0, Contract, placed
from tests.unit.streams.records import record, score


def make(settings: Settings) -> Archive:
    return Archive(vector_schema(settings.features))


def records() -> list[Record]:
    """Scores of four days, mixed, and outcomes."""
    rng = np.random.default_rng(3)
    records = []
    for i in range(150):
        at = T0 + int(rng.integers(4)) * DAY
        records.append(record(topics.SCORES, 0, score(f"s{i}", at), i % 2))
        known = Outcome(f"s{i}", "c", "t", at, at + 7 * DAY, i % 9 == 0, "chargeback", unusual=False)
        records.append(record(topics.OUTCOMES, 0, known, i % 2))
    return placed(records)


def sink(settings: Settings) -> Sink:
    return ArchiveSink(settings)


def holds(settings: Settings, sink: object) -> object:
    """Every row that is in a file, without its offset."""
    rows_by_topic = {}
    for topic in (topics.SCORES, topics.OUTCOMES):
        files = sorted((settings.archive / topic).glob("day=*/*.parquet"))
        rows = [row for file in files for row in pq.read_table(file, partitioning=None).drop(["kafka_offset"]).to_pylist()]
        rows_by_topic[topic] = sorted(map(repr, rows))
    return rows_by_topic


CONTRACT = Contract(make, records, sink=sink, holds=holds)
