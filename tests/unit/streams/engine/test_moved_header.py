"""What a moved record says of where it came from."""

from __future__ import annotations

import pytest

from streams.engine.moved_header import MOVED_HEADER, Moved, appended_ms, moved
from streams.kafka.records import Record


def record(*headers: tuple[str, bytes | None], appended: int = 500) -> Record:
    return Record("transactions", 0, 0, b"c", b"{}", list(headers), appended)


@pytest.mark.parametrize("origin", [Moved(0, 0, 0), Moved(3, 12, 1_700_000_000_000, 1_600_000_000_000, 2)])
def test_a_header_is_read_as_it_was_written(origin: Moved) -> None:
    assert moved(record(("other", None), origin.header())) == origin


@pytest.mark.parametrize(
    "value", [None, b"", b"1,2", b"1,2,x,4,1", b"-1,2,3,4,1", b"1,2,3,4", b"1,2,3,1,5,6", b"1," + b"9" * 5000 + b",3,4,1"]
)
def test_a_header_that_is_none_of_ours_says_nothing(value: bytes | None) -> None:
    assert moved(record((MOVED_HEADER, value))) is None
    assert appended_ms(record((MOVED_HEADER, value))) == 500


def test_the_earlier_time_counts_so_that_a_forged_one_gains_nothing() -> None:
    assert appended_ms(record()) == 500
    assert appended_ms(record(Moved(1, 1, 400).header())) == 400
    assert appended_ms(record(Moved(1, 1, 900).header())) == 500
    assert appended_ms(record(Moved(1, 1, 0).header())) == 500
    assert appended_ms(record(Moved(1, 1, 400).header(), appended=0)) == 400
