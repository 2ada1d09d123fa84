"""Terminal risk: each terminal's tiles after its last outcome."""

from __future__ import annotations

import msgspec
import numpy as np

from features.base.events import Outcome
from features.base.settings import Settings
from features.online.store import CounterpartRow
from streams import topics
from streams.engine.testing import Rows
from streams.kafka.records import Record
from streams.writers.counterpart_risk import CounterpartRisk
from tests.contracts.processors.contract import DAY, HOUR, T0, Contract, partition_of, placed
from tests.unit.streams.records import record


def make(settings: Settings) -> CounterpartRisk:
    return CounterpartRisk(settings.labels.delay_ms, settings.labels.step_hours * HOUR)


def records() -> list[Record]:
    """Outcomes of nine terminals over ten days, a little out of order; some are corrected, once or twice, or once more."""
    rng = np.random.default_rng(4)
    records, corrected = [], list[Outcome]()
    for i in range(250):
        counterpart, at = f"t{rng.integers(9)}", T0 + i * HOUR + int(rng.integers(3 * HOUR))
        known = Outcome(f"s{i}", "c", counterpart, at, at + 7 * DAY, bool(rng.random() < 0.1), "matured", unusual=False)
        records.append(record(topics.OUTCOMES, 0, known, partition_of(counterpart)))
        corrected.append(known)
        if i % 3 == 2:
            again = corrected[int(rng.integers(len(corrected)))]
            again = msgspec.structs.replace(
                again,
                positive=not again.positive,
                outcome_time_ms=max(at, again.outcome_time_ms) + DAY,
                revision=again.revision + 1,
                late=True,
            )
            corrected.append(again)
            records += [record(topics.OUTCOMES, 0, again, partition_of(again.counterpart))] * (1 + i % 2)
    return placed(records)


def holds(settings: Settings, sink: Rows) -> object:
    """Newest wins, by revision."""
    newest: dict[str, CounterpartRow] = {}
    for part in sink.rows:
        for row in part.counterparts:
            held = newest.get(row.counterpart)
            if held is None or row.revision >= held.revision:
                newest[row.counterpart] = row
    return {counterpart: (row.event_time_ms, row.tiles.tolist()) for counterpart, row in newest.items()}


CONTRACT = Contract(make, records, holds=holds)
