"""A log in memory, and the same log in other partitions, as ``infra.repartition.copying`` makes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from infra.repartition.copying import TakenLabels, Target
from infra.repartition.marks import Marks
from infra.repartition.merged import merged
from streams import topics
from streams.engine.homes import WHERE_THEY_LIE
from streams.engine.repartition_header import HEADER
from streams.engine.settings_history import History
from streams.kafka.partitioners import HASHES
from streams.kafka.records import Record
from tests.unit.streams.records import DAY

#: By topic, then by partition.
Log = dict[str, list[list[Record]]]
Histories = Mapping[str, Mapping[int, History]]
#: So much later than the record itself the broker takes its copy.
COPIED_MS = 30 * DAY


class Writer:
    """Appends to a log by key."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.log: Log = {name: [[] for _ in range(partitions)] for name in (topics.SCORES, topics.LABELS, topics.OUTCOMES)}

    def put(self, topic: str, key: str, event: msgspec.Struct, appended_ms: int = 0) -> Record:
        number = HASHES["murmur2"](key.encode()) % self.partitions
        part = self.log[topic][number]
        record = Record(topic, number, len(part), key.encode(), msgspec.json.encode(event), [], appended_ms)
        part.append(record)
        return record

    def records(self, *names: str) -> Iterator[Record]:
        """Of these topics, one after the other, as they are read when a state is restored."""
        for name in names:
            for part in self.log[name]:
                yield from part


def moved(old: Writer, partitions: int, histories: Histories) -> Writer:
    """The log in other partitions. ``histories``: by what the label joiner had processed each topic's partitions."""
    new, target = Writer(partitions), Target("murmur2", partitions)
    marks = Marks(old.partitions, 0, histories.get(topics.SCORES))
    taken = TakenLabels(0, WHERE_THEY_LIE, histories.get(topics.LABELS, {}))
    for topic in (topics.SCORES, topics.OUTCOMES):
        for part in old.log[topic]:
            marks.see(part)
    marks.settle()
    for topic, parts in old.log.items():
        copied = [taken(part) for part in parts] if topic == topics.LABELS else parts
        for record in merged([iter([part] if part else []) for part in copied]):
            number = target(record)
            headers = [*(h for h in record.headers if h[0] != HEADER), marks.of(record).header()]
            part = new.log[topic][number]
            appended_ms = record.appended_ms and record.appended_ms + COPIED_MS
            place = {"partition": number, "offset": len(part)}
            part.append(msgspec.structs.replace(record, headers=headers, appended_ms=appended_ms, **place))
    return new
