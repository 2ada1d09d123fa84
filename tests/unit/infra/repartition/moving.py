"""A log in memory, and the same log in other partitions, as ``infra.repartition.copying`` makes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from infra.repartition.copying import Target
from infra.repartition.marks import Marks
from infra.repartition.merged import merged
from infra.repartition.partitioners import HASHES
from streams import topics
from streams.copied import HEADER
from streams.core import Record
from streams.limits import History

#: By topic, then by partition.
Log = dict[str, list[list[Record]]]


class Writer:
    """Appends to a log by key."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.log: Log = {name: [[] for _ in range(partitions)] for name in (topics.SCORES, topics.LABELS, topics.OUTCOMES)}

    def put(self, topic: str, key: str, event: msgspec.Struct) -> Record:
        number = HASHES["murmur2"](key.encode()) % self.partitions
        part = self.log[topic][number]
        record = Record(topic, number, len(part), key.encode(), msgspec.json.encode(event))
        part.append(record)
        return record

    def records(self, *names: str) -> Iterator[Record]:
        """Of these topics, one after the other, as they are read when a state is restored."""
        for name in names:
            for part in self.log[name]:
                yield from part


def moved(old: Writer, partitions: int, delays: Mapping[int, History]) -> Writer:
    """The log in other partitions. ``delays``: by which label delays each partition's scores were processed."""
    new, target, marks = Writer(partitions), Target("murmur2", partitions), Marks(old.partitions, 0, delays)
    for topic in (topics.SCORES, topics.OUTCOMES):
        for part in old.log[topic]:
            marks.see(part)
    marks.settle()
    for topic, parts in old.log.items():
        for record in merged([iter([part] if part else []) for part in parts]):
            number = target(record)
            headers = [*(h for h in record.headers if h[0] != HEADER), marks.of(record).header()]
            part = new.log[topic][number]
            part.append(msgspec.structs.replace(record, partition=number, offset=len(part), headers=headers))
    return new
