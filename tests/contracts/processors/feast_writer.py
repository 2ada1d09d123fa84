"""The feast-writer: each card's newest vector, whatever the order in which its scores came."""

from __future__ import annotations

import numpy as np

from features.base.settings import Settings
from features.online.store import Activity
from streams import topics
from streams.engine.testing import Rows
from streams.kafka.records import Record
from streams.writers.subject_activity import FeastWriter
from tests.contracts.processors.contract import T0, Contract, partition_of, placed
from tests.unit.streams.records import record, score


def make(settings: Settings) -> FeastWriter:
    return FeastWriter()


def records() -> list[Record]:
    times = (T0 + np.random.default_rng(2).permutation(200) * 1000).tolist()
    made = [record(topics.SCORES, 0, score(f"s{i}", at, f"c{i % 12}"), partition_of(f"c{i % 12}")) for i, at in enumerate(times)]
    return placed(made)


def holds(settings: Settings, sink: Rows) -> object:
    """As the online store has it: the newest by event time wins, by offset where two are as new."""
    newest: dict[str, Activity] = {}
    for row in sink.rows:
        held = newest.get(row.subject)
        if held is None or row.event_time_ms >= held.event_time_ms:
            newest[row.subject] = row
    return {subject: (row.event_time_ms, row.event_id, row.score, row.vector.tolist()) for subject, row in newest.items()}


CONTRACT = Contract(make, records, holds=holds)
