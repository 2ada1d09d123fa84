"""What of a batch is new, what is dead, and what came before. By which limits: see the tests of settings_history."""

from __future__ import annotations

import msgspec

from features.base.events import DeadLetter
from features.base.sections import Scoring
from features.base.settings import Settings
from features.domains.card_fraud.event import Payment
from streams import topics
from streams.engine.settings_history import Since
from streams.kafka.records import Record
from streams.scoring.intake import Intake, admission
from streams.scoring.measures import Measures
from tests.unit.streams.records import HOUR, T0, record


def intake() -> Intake:
    only = admission(Scoring())
    return Intake(Scoring(), lambda _: only, Measures(Settings()))


def event(offset: int, event_id: str, amount: int = 100) -> Record:
    return record(topics.EVENTS, offset, Payment(event_id, T0, "c", "t", amount))


def test_each_record_of_a_batch_is_new_dead_or_repeated() -> None:
    batch = [
        event(0, "x"),
        event(1, "x"),
        record(topics.EVENTS, 2, b"{"),
        event(3, "x", 101),
        event(4, "y"),
        event(5, "x"),
    ]
    judged = intake().take(batch)
    assert judged.new is not None
    assert [record.offset for record in judged.new.records] == [0, 4]
    letters = [msgspec.json.decode(letter.value, type=DeadLetter) for letter in judged.dead]
    assert [(letter.offset, letter.error) for letter in letters] == [(2, "DecodeError"), (3, "ConflictingTransaction")]
    assert judged.repeated == 2


def test_a_batch_in_which_nothing_is_new_says_how_many_came_before() -> None:
    own = intake()
    assert own.take([event(0, "x")]).repeated == 0
    assert own.take([event(1, "x"), event(2, "x")]) == (None, [], 2, [])
    assert own.take([]) == (None, [], 0, [])


def test_a_history_goes_with_its_partition() -> None:
    """A payment that lies two hours ahead of the broker's clock was taken then, and is not by the limits of now."""
    own = intake()
    first, second = (msgspec.structs.replace(event(n, f"x{n}"), appended_ms=T0 - 2 * HOUR) for n in (0, 1))
    own.decided((topics.EVENTS, 0), (Since(0, own.limits._replace(lead_ms=0)),))
    assert [len(taken.records) for taken in own.again([first])] == [1]
    own.forget([(topics.EVENTS, 0)])
    assert list(own.again([second])) == []
