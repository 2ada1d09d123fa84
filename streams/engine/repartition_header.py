"""Records that ``driftloop repartition`` copied from a log of other partitions: a header says so, and what was done about them.

A processor's state follows from its log, but two things in it follow from the partition that a record was in: the order in which
subjects came, and how far the partition's time had come. They lie in the header, so that the state that is rebuilt from the copy
is the one that there was:

| in the header | set on | what it is for |
| --- | --- | --- |
| the header itself | all | the scorer took this transaction: it is taken again, whatever came before it in the new partition |
| ``joined_ms`` | labels, scores | how far the label joiner had come, less its delay: what happened until then has its outcome |
| ``watched_ms`` | scores, outcomes | the drift monitor's watermark of the old topic: the windows up to it are reported |
| ``measure`` | events | what the scorer counted of it: the copy came to the broker at another time, when other rates counted |

Records of a copy lie below the committed offsets: they are read to restore a state, and never processed. A producer may set the
same header. So where the copy ends is written down where no producer writes: in the metadata of the committed offsets
(``streams.engine.commit_metadata``). From there on the header is nobody's (``negative``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import msgspec

from streams.engine.core import MOST_DIGITS
from streams.kafka.records import Record

HEADER = "driftloop-copied"


class Copied(NamedTuple):
    """Event times in ms; None: no time had come yet, or the topic has no such reader. ``measure``: in parts of the reference
    unit, -1 where it is not known; None: the event's own."""

    joined_ms: int | None = None
    watched_ms: int | None = None
    measure: int | None = None

    def header(self) -> tuple[str, bytes]:
        """Return the header as it is written. The inverse is ``copied``."""
        parts = self if self.measure is not None else self[:2]
        return HEADER, ",".join("" if part is None else str(part) for part in parts).encode()


def negative(record: Record, end: int) -> Record:
    """Return the record as it is to be read again: without the header where it lies at ``end`` or behind it."""
    if not record.headers or record.offset < end:
        return record
    kept = [header for header in record.headers if header[0] != HEADER]
    return record if len(kept) == len(record.headers) else msgspec.structs.replace(record, headers=kept)


def copied(record: Record) -> Copied | None:
    """Return what the header says; None where the record has none, or one that is none of ours: it came by itself."""
    for name, value in record.headers:
        if name == HEADER:
            return _parsed(value or b"")
    return None


@lru_cache(maxsize=4096)
def _parsed(value: bytes) -> Copied | None:
    parts = value.split(b",")
    if not 2 <= len(parts) <= 3 or not all(_is_number(part) or not part for part in parts):
        return None
    return Copied(*(int(part) if part else None for part in parts))


def _is_number(part: bytes) -> bool:
    digits = part.removeprefix(b"-")
    return digits.isdigit() and len(digits) <= MOST_DIGITS
