"""The label joiner, with labels that come before their transactions mature, some of them corrected before the score comes.

Of a later one, the batch that holds both decides whether it comes before or behind its score; what it corrects then is seen in
``tests/unit/streams/labels/test_corrections.py``.
"""

from __future__ import annotations

from features.base.settings import Settings
from streams import topics
from streams.kafka.records import Record
from streams.labels.joiner import LabelJoiner
from tests.contracts.processors.contract import HOUR, T0, Contract, placed
from tests.unit.streams.records import label, record, score


def make(settings: Settings) -> LabelJoiner:
    return LabelJoiner(settings.labels.delay_ms)


def records() -> list[Record]:
    """A score every two hours; labels before it, behind it, and of transactions that never come."""
    records = []
    for i in range(220):
        at = T0 + i * 2 * HOUR
        if i % 7 == 0:
            records.append(record(topics.LABELS, 0, label(f"s{i}", at, i % 2 == 0, at + HOUR, counterpart=f"t{i % 5}"), i % 2))
        if i % 14 == 0:
            records.append(
                record(topics.LABELS, 0, label(f"s{i}", at, i % 4 == 0, at + 5 * HOUR, counterpart=f"t{i % 5}"), i % 2)
            )
            records.append(record(topics.LABELS, 0, label(f"s{i}", at, True, at + 3 * HOUR, counterpart=f"t{i % 5}"), i % 2))
        if i % 20 == 3:
            records.append(record(topics.LABELS, 0, label(f"none{i}", at, True, at + HOUR), i % 2))
        records.append(record(topics.SCORES, 0, score(f"s{i}", at, counterpart=f"t{i % 5}"), i % 2))
        if i % 7 == 5:
            earlier = T0 + (i - 2) * 2 * HOUR
            records.append(record(topics.LABELS, 0, label(f"s{i - 2}", earlier, True, earlier + 6 * HOUR), i % 2))
            records.append(record(topics.LABELS, 0, label(f"s{i - 2}", earlier, False, earlier + HOUR), i % 2))
    return placed(records)


CONTRACT = Contract(make, records)
