"""Where records belong, and how they are written there."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from features.base.events import DeadLetter
from streams import topics
from streams.engine.homes import ANYWHERE, NAMES, WHERE_THEY_LIE, Homes, Stray
from streams.engine.moved_header import MOST_MOVES, Moved, moved
from streams.kafka.partitioners import HASHES, Name
from streams.kafka.records import Record

SUBJECTS = [f"card-{n}-é".encode()[: 3 + n % 9] for n in range(200)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_a_record_is_astray_where_its_subject_does_not_hash_to(name: Name, partitions: int) -> None:
    homes = Homes(name, partitions)
    belong = [HASHES[name](subject) % partitions for subject in SUBJECTS]
    lie = np.arange(len(SUBJECTS)) % partitions
    assert homes.astray(lie, SUBJECTS, homes.code).tolist() == [a != b for a, b in zip(belong, lie.tolist(), strict=True)]
    assert not homes.astray(np.array(belong), SUBJECTS, homes.code).any()
    assert not homes.astray(lie, SUBJECTS, ANYWHERE).any()


def test_without_a_partitioner_records_are_taken_where_they_lie() -> None:
    assert WHERE_THEY_LIE.code == ANYWHERE
    assert not WHERE_THEY_LIE.astray(np.arange(3), SUBJECTS[:3], WHERE_THEY_LIE.code).any()


def test_a_record_is_moved_once_with_its_place_and_time_and_its_own_headers() -> None:
    homes = Homes("murmur2", 4)
    home = HASHES["murmur2"](b"c") % 4
    record = Record(topics.EVENTS, (home + 1) % 4, 7, None, b"{}", [("trace", b"1")], 1234)
    written = homes.move(Stray(record, b"c", 99), "scorer")
    assert (written.topic, written.key, written.value, written.partition) == (topics.EVENTS, b"c", b"{}", home)
    assert written.headers[0] == ("trace", b"1")
    read = Record(written.topic, written.partition, 0, written.key, written.value, written.headers, 9999)
    assert moved(read) == Moved((home + 1) % 4, 7, 1234, 99, 1)


def test_a_record_that_was_moved_before_keeps_where_it_came_from() -> None:
    before = Record(topics.EVENTS, 0, 3, b"c", b"{}", [Moved(2, 9, 77, 6).header()], 88)
    (header,) = Homes("crc32", 5).move(Stray(before, b"c", 5), "scorer").headers
    assert header == Moved(2, 9, 77, 6, 2).header()


def test_a_record_that_is_moved_for_ever_is_a_dead_letter() -> None:
    restless = Record(topics.LABELS, 0, 3, b"c", b"{}", [Moved(2, 9, 77, 6, MOST_MOVES).header()], 88)
    letter = Homes("murmur2", 5).move(Stray(restless, b"c"), "label-joiner")
    assert letter.topic == topics.DLQ
    content = msgspec.json.decode(letter.value, type=DeadLetter)
    assert (content.error, content.partition, content.offset, content.processor) == ("MovedTooOften", 0, 3, "label-joiner")
    assert "partitioner" in content.message
