"""The header of a copy, set by a producer: what is restored is what was there, however often the group commits."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial

import pytest
from confluent_kafka import TopicPartition

from features.base.settings import Settings
from streams.engine.commit_metadata import Note
from streams.engine.repartition_header import HEADER, Copied, copied
from streams.engine.shell import Shell
from streams.kafka.clients import consumer, producer
from streams.kafka.create_topics import create
from streams.kafka.records import Record
from streams.publish.lockstep import Lockstep
from streams.topics import Topic
from tests.counting import RunningCount
from tests.integration.counting import running, wait_for

pytestmark = pytest.mark.integration


class Copies(RunningCount):
    """Notes what it is told of copies when its state is restored."""

    def __init__(self, source: str, target: str) -> None:
        super().__init__(source, target)
        self.marks: dict[tuple[int, int], Copied | None] = {}

    def restore(self, records: Sequence[Record]) -> None:
        super().restore(records)
        self.marks |= {(record.partition, record.offset): copied(record) for record in records}

    def has_restored(self, count: int) -> bool:
        return self.restored == count


def test_only_what_was_copied_is_a_copy_when_it_is_read_again(platform: Settings) -> None:
    name = uuid.uuid4().hex[:8]
    source, target = f"in-{name}", f"out-{name}"
    create(platform, [Topic(source, 2), Topic(target, 2)])
    mark = Copied(5, None)
    sender = producer(platform)
    for n in range(6):
        sender.produce(source, f"v{n}".encode(), b"k", n % 2, headers=[("own", b"1"), mark.header()])
    assert sender.flush(20) == 0
    # As a repartition leaves it: the first two of partition 0 are copies, and nothing of partition 1.
    member = consumer(platform, f"count-{source}")
    member.commit(offsets=[TopicPartition(source, 0, 2, Note(2).text()), TopicPartition(source, 1, 0)], asynchronous=False)
    member.close()

    first = Copies(source, target)
    with running(Shell(platform, first)):
        Lockstep(platform, {f"count-{source}": (source,)}).wait()
    assert first.marks == {(0, 0): mark, (0, 1): mark}
    sender.produce(source, b"last", b"k", 0, headers=[(HEADER, b"1,2")])
    assert sender.flush(20) == 0
    # The second life commits, too, and the third must still know.
    for life in (2, 3):
        again = Copies(source, target)
        with running(Shell(platform, again)):
            wait_for(partial(again.has_restored, 4 + life))
            Lockstep(platform, {f"count-{source}": (source,)}).wait()
        wanted = {(0, 0): mark, (0, 1): mark, (0, 2): None, (1, 0): None, (1, 1): None, (1, 2): None}
        assert again.marks == (wanted if life == 2 else wanted | {(0, 3): None})
