"""Which dead letters are meant."""

from __future__ import annotations

from datetime import datetime

import pytest
import typer

from features.base.events import DeadLetter
from infra.dead_letters.filters import Filter, chosen, is_cut, parsed
from infra.inspect.tail import Seen
from streams.engine.core import MOST_VALUE

AT = 1_767_225_600_000
SEEN = Seen(0, 17, AT, b"k", None)
LETTER = DeadLetter("transactions", 2, 7, "scorer", "ValidationError", "no", b"{}", b"c1")


@pytest.mark.parametrize(
    ("wanted", "is_meant"),
    [
        (Filter(), True),
        (Filter("scorer", "ValidationError", "transactions"), True),
        (Filter("archive"), False),
        (Filter(error="DecodeError"), False),
        (Filter(topic="labels"), False),
        (Filter(since_ms=AT, until_ms=AT + 1), True),
        (Filter(since_ms=AT + 1), False),
        (Filter(until_ms=AT), False),
        (Filter(places=frozenset({(0, 17), (0, 3)})), True),
        (Filter(places=frozenset({(0, 16)})), False),
        (Filter("scorer", places=frozenset({(0, 16)})), False),
    ],
)
def test_all_conditions_must_hold(wanted: Filter, is_meant: bool) -> None:
    assert wanted.wants(SEEN, LETTER) is is_meant


def test_what_is_typed_is_utc() -> None:
    choice = chosen("", "E", "", datetime(2026, 1, 1), datetime(2026, 1, 2), ["0:17"])
    assert choice == Filter("", "E", "", AT, AT + 86_400_000, frozenset({(0, 17)}))
    with pytest.raises(typer.BadParameter, match="--since"):
        chosen("", "", "", datetime(2026, 1, 2), datetime(2026, 1, 2))


@pytest.mark.parametrize("place", ["17", "0:", ":1", "0:-1", "a:b", "0:1:2"])
def test_a_place_is_two_numbers(place: str) -> None:
    with pytest.raises(typer.BadParameter, match="PARTITION:OFFSET"):
        parsed(place)


def test_letters_that_do_not_hold_their_record() -> None:
    assert not is_cut(LETTER)
    assert is_cut(DeadLetter("t", 0, 1, "p", "E", "", b"x", None, truncated=True))
    assert is_cut(DeadLetter("t", 0, 1, "p", "E", "", b"x" * MOST_VALUE, None))
