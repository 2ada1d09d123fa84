"""The harness's own judgement."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import cast

import pytest

from features.base.events import Score
from features.domains.card_fraud.event import Payment
from streams.kafka.partitioners import murmur2
from streams.kafka.records import Record
from tests.chaos.expected import disagreements
from tests.chaos.moves import at_home, moves
from tests.chaos.unbroken import Unbroken
from tests.chaos.verify import excused

T0 = 1_767_600_000_000
AWAY = [(1000, 5000), (20_000, 24_000)]


def degraded(scored_at_ms: int, model_ms: float) -> Score:
    payment = Payment("t", T0, "c", "m", 100)
    return Score(payment, payment.subject, "s", b"", "pass", degraded=True, scored_at_ms=scored_at_ms, model_ms=model_ms)


@pytest.mark.parametrize(
    ("scored_at_ms", "model_ms", "was_away"),
    [
        (4000, 5.0, True),
        # Read while Redis was away, and scored when the model server was back.
        (9000, 5000.0, True),
        # Read when it answered again.
        (5500, 5.0, False),
        (9000, 3500.0, False),
        # Read before it was killed, though it was away when the score was made.
        (2000, 1500.0, False),
        (21_000, 2.0, True),
    ],
)
def test_a_degraded_score_is_excused_by_the_moment_of_its_read(scored_at_ms: int, model_ms: float, was_away: bool) -> None:
    assert excused(degraded(scored_at_ms, model_ms), AWAY) == was_away


def record(offset: int, value: bytes) -> Record:
    return Record("transactions", 0, offset, None, value)


def event(event_id: str, amount: int = 1) -> bytes:
    return b'{"transaction_id":"%s","card_id":"c","amount_minor":%d}' % (event_id.encode(), amount)


LOG = {
    0: [
        record(0, event("a")),
        record(1, b"not a payment"),
        record(2, event("b")),
        record(3, event("a")),
        record(4, event("a", 2)),
    ]
}
MALFORMED = {hash(b"not a payment")}


def unbroken(ids: list[str], bad: list[int]) -> Unbroken:
    scores = [SimpleNamespace(event=SimpleNamespace(event_id=event_id)) for event_id in ids]
    return cast(Unbroken, SimpleNamespace(scores={0: scores}, bad=Counter((0, offset) for offset in bad)))


def test_what_was_published_is_held_against_what_the_unbroken_run_took() -> None:
    assert disagreements(LOG, MALFORMED, unbroken(["a", "b"], [1, 4])) == []


@pytest.mark.parametrize(
    ("ids", "bad"),
    [(["a"], [1, 4]), (["b", "a"], [1, 4]), (["a", "b", "a"], [1, 4]), (["a", "b"], [1]), (["a", "b"], [1, 2])],
)
def test_a_payment_left_out_taken_twice_or_wrongly_refused_is_told(ids: list[str], bad: list[int]) -> None:
    assert len(disagreements(LOG, MALFORMED, unbroken(ids, bad))) == 1


def spread(*placed: tuple[int, bytes, str]) -> dict[int, list[Record]]:
    """A log of two partitions; "c" belongs to the first. A name of a partition is where the record came from."""
    log: dict[int, list[Record]] = {0: [], 1: []}
    for partition, value, origin in placed:
        headers = [("driftloop-moved", origin.encode())] if origin else []
        log[partition].append(Record("transactions", partition, len(log[partition]), None, value, list(headers)))
    return log


def test_each_record_that_lies_elsewhere_is_to_be_moved_once() -> None:
    home = (murmur2(b"c") & 0x7FFFFFFF) % 2
    away = 1 - home
    stray, copy = (away, event("a"), ""), (home, event("a"), f"{away},0,5,7,1")
    assert moves(spread(stray, copy)) == ({"transactions moved": 1}, [])
    assert at_home(spread(stray, copy))[away] == []
    assert len(moves(spread(stray))[1]) == 1
    assert len(moves(spread(stray, copy, copy))[1]) == 1
    assert len(moves(spread(stray, (home, event("b"), f"{away},0,5,7,1")))[1]) == 1
    assert len(moves(spread(copy))[1]) == 1
    bad = (away, b"not a payment", "")
    assert moves(spread(stray, copy, bad), MALFORMED)[1] == []
    assert len(at_home(spread(bad), MALFORMED)[away]) == 1
