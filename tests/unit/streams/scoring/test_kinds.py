"""Kinds of payments through the scorer: exactly one score each, judged only where a model may, and bad ones refused with the way
out."""

from __future__ import annotations

import msgspec
import pytest

from features.base.events import Alert, DeadLetter
from features.domains.card_fraud.event import Payment, PaymentKind
from streams import topics
from streams.kafka.records import Record
from streams.scoring import metrics
from tests.unit.streams.scoring.test_scorer import START, Model, of, records, scorer, scores, value

MINUTE = 60_000


def payment(n: int, amount: int, kind: PaymentKind | None = None, subject: str = "c1") -> Payment:
    return Payment(f"t{n}", START + n * MINUTE, subject, "m1", amount, kind=kind)


def test_each_payment_gets_one_score_and_only_purchases_are_judged() -> None:
    batch = [payment(0, 90_000), payment(1, 90_000, "refund"), payment(2, 90_000, "purchase"), payment(3, 90_000, "declined")]
    output = scorer().process(records(*batch))
    published = scores(output)
    assert [s.event.event_id for s in published] == ["t0", "t1", "t2", "t3"]
    assert [s.decision for s in published] == ["alert", "apart", "alert", "apart"]
    for apart in (published[1], published[3]):
        assert (apart.score, apart.threshold, apart.model, apart.model_version, apart.unusual) == (None,) * 5
        assert apart.features
    alerts = [msgspec.json.decode(v, type=Alert) for v in of(output, topics.ALERTS)]
    assert [a.event.event_id for a in alerts] == ["t0", "t2"]


def test_before_a_champion_they_are_apart_too() -> None:
    published = scores(scorer(Model(champion=False)).process(records(payment(0, 100), payment(1, 100, "reversal"))))
    assert [s.decision for s in published] == ["unscored", "apart"]


def test_they_are_counted_by_decision() -> None:
    def counted() -> list[float]:
        return [metrics.SCORES.labels(decision)._value.get() for decision in ("alert", "pass", "apart")]

    before = counted()
    output = scorer().process(records(payment(0, 90_000), payment(1, 90_000, "refund"), payment(2, 100)))
    for count in output.counted:
        count()
    assert [after - was for after, was in zip(counted(), before, strict=True)] == [1, 1, 1]


def test_a_refund_is_no_spending_and_is_counted_apart() -> None:
    core = scorer()
    core.process(records(payment(0, 2_000), payment(1, 4_000)))
    core.process(records(payment(2, 3_000, "refund"), payment(3, 500, "reversal"), first=2))
    [after] = scores(core.process(records(payment(4, 2_000), first=4)))
    assert value(after, "count_1d") == 3
    assert value(after, "sum_1d") == 80.0
    assert value(after, "seconds_since_last") == 180.0
    assert (value(after, "refunds_1d"), value(after, "refund_sum_1d")) == (2, 35.0)
    assert (value(after, "refunds_30d"), value(after, "refund_sum_30d")) == (2, 35.0)
    assert value(after, "declined_1d") == 0


def test_card_testing_shows_in_what_was_declined() -> None:
    core = scorer()
    tried = [payment(n, 99, "declined") for n in range(12)]
    published = scores(core.process(records(*tried)))
    assert [value(s, "declined_1h") for s in published] == list(range(1, 13))
    output = core.process(records(payment(12, 60_000), first=12))
    [bought] = scores(output)
    assert (value(bought, "declined_1h"), value(bought, "declined_1d"), value(bought, "count_1d")) == (12, 12, 1)
    assert value(bought, "declined_share_1d") == pytest.approx(12 / 13)
    [alert] = [msgspec.json.decode(v, type=Alert) for v in of(output, topics.ALERTS)]
    assert "CARD_TESTING" in alert.reasons
    [later] = scores(core.process(records(payment(12 + 61, 100), first=13)))
    assert (value(later, "declined_1h"), value(later, "declined_1d")) == (0, 12)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ('"amount_minor":-500', ("$.amount_minor", ">= 0", "kind refund", "kind reversal")),
        ('"amount_minor":500,"kind":"chargeback"', ("$.kind", "purchase, refund, reversal, declined")),
    ],
)
def test_what_cannot_be_taken_is_a_dead_letter_that_names_field_and_way_out(sent: str, words: tuple[str, ...]) -> None:
    body = f'{{"transaction_id":"t","event_time_ms":{START},"card_id":"c1","terminal_id":"m1",{sent}}}'
    output = scorer().process([Record(topics.EVENTS, 2, 7, b"c1", body.encode())])
    [letter] = [msgspec.json.decode(v, type=DeadLetter) for v in of(output, topics.DLQ)]
    assert (letter.topic, letter.partition, letter.offset, letter.error) == ("transactions", 2, 7, "ValidationError")
    for part in words:
        assert part in letter.message
    assert scores(output) == []


def test_none_and_the_first_kind_are_the_same() -> None:
    plain, named = (scores(scorer().process(records(payment(0, 100, kind))))[0] for kind in (None, "purchase"))
    assert plain.features == named.features
    assert plain.decision == named.decision == "pass"
