"""Dead letters: all of the record, as far as a record can hold it."""

from __future__ import annotations

import msgspec
import pytest

from features.base.events import DeadLetter
from streams import topics
from streams.engine.core import MOST_VALUE, dead_letter
from streams.engine.repartition_header import Copied, copied, negative
from streams.kafka.records import Record


def letter(record: Record) -> DeadLetter:
    produced = dead_letter(record, "scorer", ValueError("no good"))
    assert produced.topic == topics.DLQ
    assert len(produced.value) < topics.DLQ_MAX_BYTES
    return msgspec.json.decode(produced.value, type=DeadLetter)


def test_a_dead_letter_holds_the_record_and_its_place() -> None:
    decoded = letter(Record("labels", 2, 7, b"k", b"\x00\xff", [("h", b"1"), ("driftloop-attempt", b"3")]))
    assert (decoded.topic, decoded.partition, decoded.offset, decoded.key, decoded.value) == ("labels", 2, 7, b"k", b"\x00\xff")
    assert (decoded.error, decoded.message, decoded.attempt) == ("ValueError", "no good", 3)
    assert not decoded.truncated
    assert decoded.headers == [("h", b"1"), ("driftloop-attempt", b"3")]


def test_of_a_value_too_large_for_any_record_the_beginning_is_kept_and_said() -> None:
    decoded = letter(Record("transactions", 0, 1, b"k" * 500_000, b"x" * 9_000_000, [("h", b"y" * 900_000)]))
    assert decoded.value == b"x" * MOST_VALUE
    assert "of its 9000000 bytes" in decoded.message
    assert decoded.headers == []
    assert decoded.truncated


@pytest.mark.parametrize(("key", "headers"), [(b"k" * 10_001, []), (b"k", [("h", b"x" * 100_000)])])
def test_a_key_or_headers_that_were_cut_are_said_too(key: bytes, headers: list[tuple[str, bytes | None]]) -> None:
    assert letter(Record("transactions", 0, 1, key, b"{}", headers)).truncated


def test_a_letter_is_never_larger_than_its_topic_takes() -> None:
    """Each of these headers has one byte, and takes some twenty as JSON."""
    record = Record("transactions", 0, 1, b"\xff" * 10_000, b"\x01" * 2_000_000, [("\x01", None)] * 99_000)
    made = dead_letter(record, "scorer", ValueError("\x01" * 20_000))
    assert len(made.value) + len(made.key or b"") < topics.DLQ_MAX_BYTES - 50_000
    decoded = msgspec.json.decode(made.value, type=DeadLetter)
    assert (decoded.value, decoded.headers, decoded.truncated) == (record.value, [], True)


@pytest.mark.parametrize("value", [b"9" * 5000, b"-1", b"", b"\xff", None])
def test_an_attempt_that_is_no_count_is_the_first(value: bytes | None) -> None:
    decoded = letter(Record("labels", 2, 7, b"k", b"{", [("driftloop-attempt", value)]))
    assert (decoded.attempt, decoded.headers) == (1, [("driftloop-attempt", value)])


@pytest.mark.parametrize("value", [b"9" * 5000 + b",", b"," + b"9" * 19, b"-,1", b"1", b"1,2,3,4", b"\xff,", None])
def test_a_header_of_a_copy_that_is_none_of_ours_says_nothing(value: bytes | None) -> None:
    assert copied(Record("labels", 2, 7, b"k", b"{}", [("driftloop-copied", value)])) is None


def test_behind_the_copies_the_header_is_nobodys() -> None:
    headers: list[tuple[str, bytes | None]] = [("a", b"1"), Copied().header(), Copied(1, 2).header()]
    record = Record("labels", 2, 7, b"k", b"{}", headers, 5)
    assert negative(record, 8) is record
    assert negative(record, 7) == Record("labels", 2, 7, b"k", b"{}", [("a", b"1")], 5)
    plain = Record("labels", 2, 7, b"k", b"{}", [("a", b"1")])
    assert negative(plain, 0) is plain


def test_the_header_of_a_copy_is_read_as_it_was_written() -> None:
    for times in (Copied(), Copied(-5, 1_767_600_000_000)):
        assert copied(Record("labels", 2, 7, b"k", b"{}", [times.header()])) == times
