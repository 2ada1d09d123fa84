"""What a processor's file here gives: how it is made, what comes in, and what counts of what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from features.base.settings import Settings
from streams.engine.core import Core, Sink
from streams.engine.testing import Rows
from streams.kafka.records import Record

T0 = 1_520_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
PARTITIONS = 2


def as_it_is(topic: str, value: bytes) -> bytes:
    return value


@dataclass(frozen=True)
class Contract:
    """``records``: every topic of ``inputs``, in the order of arrival, so that what comes out does not hang on where batches are
    cut; ``settings`` changes those of the suite.

    ``says``: of a topic and a value, what must be the same each time; ``sink`` and ``holds``: where rows go, and what is there in
    the end. ``ordered``: so is the order of a key's records. ``whole``: one member reads every partition.
    """

    make: Callable[[Settings], Core]
    records: Callable[[], list[Record]]
    says: Callable[[str, bytes], object] = as_it_is
    sink: Callable[[Settings], Sink] = lambda settings: Rows()
    holds: Callable[[Settings, Any], object] = lambda settings, sink: None
    settings: Callable[[Settings], Settings] = lambda settings: settings
    ordered: bool = False
    whole: bool = False


def placed(records: Sequence[Record]) -> list[Record]:
    """The same in the order given; what a log says of offset and time is the log's business."""
    return [Record(record.topic, record.partition, 0, record.key, record.value, record.headers) for record in records]


def partition_of(name: str) -> int:
    """One partition a key."""
    return sum(name.encode()) % PARTITIONS
