"""The drift monitor: reports and requests, whatever the order in which topics and partitions were interleaved."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np

from features.base.events import Outcome
from features.base.sections import Drift
from features.base.settings import Settings
from streams import topics
from streams.drift.monitor import DriftMonitor
from streams.kafka.records import Record
from tests.contracts.processors.contract import HOUR, Contract, placed
from tests.unit.streams.drift.synthetic import (
    GivenReferences,
    clock_records,
    event_record,
    outcome_records,
    score_records,
    scores_of,
    times_of,
    vectors,
)

DAYS = 3


@cache
def references() -> GivenReferences:
    return GivenReferences("v1", rows=2000)


def make(settings: Settings) -> DriftMonitor:
    return DriftMonitor(settings, references())


def with_small_windows(settings: Settings) -> Settings:
    return settings.model_copy(update={"drift": Drift(min_rows=250)})


def withdrawn(joined: list[Record], day: int) -> list[Record]:
    """The frauds among these outcomes, as genuine some hours later: some on the same day, some on the next."""
    records = []
    for n, item in enumerate(joined):
        known = msgspec.json.decode(item.value or b"", type=Outcome)
        if known.positive:
            corrected = msgspec.structs.replace(
                known, positive=False, late=True, revision=2, outcome_time_ms=known.outcome_time_ms + 6 * HOUR
            )
            records.append(
                Record(topics.OUTCOMES, item.partition, day * 100_000 + 90_000 + n, None, msgspec.json.encode(corrected))
            )
    return records


@cache
def _records() -> tuple[Record, ...]:
    """A day as in training, then days of other amounts, and outcomes."""
    rng = np.random.default_rng(5)
    records = [event_record("promoted", 0, "v1")]
    for day in range(DAYS):
        times = times_of(rng, day, 300)
        shift = 6.0 if day > 0 else 1.0
        values = vectors(rng, times, shift, shift)
        records += score_records(times, values, scores_of(rng, values), first=day * 1_000_000)
        joined = outcome_records(rng, day, 10, 0.2, negative=20)
        records += [*joined, *withdrawn(joined[::3], day)]
    return tuple(placed([*records, *clock_records(DAYS)]))


def records() -> list[Record]:
    return list(_records())


def says(topic: str, value: bytes) -> object:
    """A request tells, besides, how many labels had been read when it was made: that hangs on how outcomes and scores were
    interleaved."""
    message = msgspec.json.decode(value)
    if topic == topics.RETRAIN_REQUESTS:
        del message["labels"], message["evidence"]["positives"]
    return message


CONTRACT = Contract(make, records, says, settings=with_small_windows, whole=True)
