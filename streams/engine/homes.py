"""Where a subject's records belong, and how one that lies elsewhere gets there.

A subject's history lies in one partition, and a label meets its event only there. Producers may put a record anywhere: clients
hash the same key in different ways, and some send no key, or another one. So the processor that meets a record elsewhere writes
it to its subject's partition, in the transaction that commits its offset: once, whatever is killed. There it is taken as if it
had come there (``streams.engine.moved_header``).

Which records were moved must be known when the log is read again: the partitioner is one of the limits by which a partition was
processed (``streams.engine.settings_history``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from streams.engine.core import dead_letter
from streams.engine.moved_header import MOST_MOVES, MOVED_HEADER, Moved, moved
from streams.kafka.partitioners import Name, spread
from streams.kafka.records import Produce, Record

#: A partitioner as a limit: 1 is the first of these.
NAMES: tuple[Name, ...] = get_args(Name)
#: Records are taken where they lie, as before there was a setting.
ANYWHERE = 0


class MovedTooOften(ValueError):
    """A record was moved from partition to partition, and is not where its subject belongs even so."""


class Stray(NamedTuple):
    """A record that lies elsewhere than its subject's others. ``clock_ms``: how far event time had come where it lies, 0 where
    that is not known."""

    record: Record
    subject: bytes
    clock_ms: int = 0


class Homes:
    """The partitions of subjects. Without a ``partitioner`` every record is at home where it lies."""

    def __init__(self, partitioner: Name | None, partitions: int) -> None:
        self.partitioner = partitioner
        self.partitions = partitions
        self.code = ANYWHERE if partitioner is None else NAMES.index(partitioner) + 1

    def astray(self, lie: NDArray[np.int64], subjects: Sequence[bytes], code: int) -> NDArray[np.bool_]:
        """Tell which of n records are not where their subject belongs, bool [n]. ``lie``: their partitions, int64 [n]; ``code``:
        the partitioner that counts."""
        if code == ANYWHERE:
            return np.zeros(len(subjects), dtype=np.bool_)
        elsewhere: NDArray[np.bool_] = spread(NAMES[code - 1], subjects, self.partitions) != lie
        return elsewhere

    def move(self, stray: Stray, processor: str) -> Produce:
        """Return the record as it is written to its subject's partition; a dead letter where it was moved too often."""
        record, subject, clock_ms = stray
        assert self.partitioner is not None, "without a partitioner no record lies elsewhere"
        before = moved(record)
        moves = 1 if before is None else before.moves + 1
        if moves > MOST_MOVES:
            return dead_letter(
                record,
                processor,
                MovedTooOften(
                    f"the record was moved {MOST_MOVES} times; give every process the same setting partitioner, and let "
                    f"producers send no header {MOVED_HEADER}"
                ),
            )
        origin = Moved(record.partition, record.offset, record.appended_ms, max(0, clock_ms)) if before is None else before
        headers = [header for header in record.headers if header[0] != MOVED_HEADER]
        headers.append(origin._replace(moves=moves).header())
        home = int(spread(self.partitioner, [subject], self.partitions)[0])
        return Produce(record.topic, subject, record.value or b"", home, headers)


#: Every record is taken where it lies.
WHERE_THEY_LIE = Homes(None, 1)
