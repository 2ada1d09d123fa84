"""The label joiner, with labels that come before their transactions mature, some of them corrected before the score comes.

Of a later one, the batch that holds both decides whether it comes before or behind its score; what it corrects then is seen in
``tests/unit/streams/labels/test_corrections.py``.
"""

from __future__ import annotations

from features.base.settings import Settings
from streams import topics
from streams.engine.partitioner_setting import homes_of
from streams.kafka.partitioners import HASHES
from streams.kafka.records import Record
from streams.labels.joiner import LabelJoiner
from tests.contracts.processors.contract import HOUR, PARTITIONS, T0, Contract, placed
from tests.unit.streams.records import label, record, score


def make(settings: Settings) -> LabelJoiner:
    return LabelJoiner(settings.labels.delay_ms, homes=homes_of(settings))


def records() -> list[Record]:
    """A score every two hours; labels before it, behind it, and of transactions that never come. In the last days half of the
    labels come to the wrong partition: nothing of them matures meanwhile."""
    records = []
    for i in range(220):
        at, subject = T0 + i * 2 * HOUR, f"c{i % 11}"
        home = HASHES["murmur2"](subject.encode()) % PARTITIONS
        comes = i % PARTITIONS if i > 150 else home
        if i % 7 == 0:
            early = label(f"s{i}", at, i % 2 == 0, at + HOUR, subject, f"t{i % 5}")
            records.append(record(topics.LABELS, 0, early, comes))
        if i % 14 == 0 and comes == home:
            again = label(f"s{i}", at, i % 4 == 0, at + 5 * HOUR, subject, f"t{i % 5}")
            records.append(record(topics.LABELS, 0, again, comes))
            between = label(f"s{i}", at, True, at + 3 * HOUR, subject, f"t{i % 5}")
            records.append(record(topics.LABELS, 0, between, comes))
        if i % 20 == 3:
            records.append(record(topics.LABELS, 0, label(f"none{i}", at, True, at + HOUR, subject), comes))
        records.append(record(topics.SCORES, 0, score(f"s{i}", at, subject, f"t{i % 5}"), home))
        if i % 7 == 5:
            records.append(record(topics.LABELS, 0, label(f"s{i}", at, True, at + 6 * HOUR, subject), comes))
            records.append(record(topics.LABELS, 0, label(f"s{i}", at, False, at + HOUR, subject), comes))
    return placed(records)


CONTRACT = Contract(make, records)
