"""What the simulated cards do beside buying: days later, minutes later, or in vain; and what they buy stays what it was."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from features.base.active import ROLES
from features.base.durations import DAY_MS, MINUTE_MS
from features.domains.card_fraud.event import Payment
from streams.publish.batch import Batch
from streams.publish.encode import encode_events, encode_labels
from streams.simulate.card_fraud.options import Options, parse_kind
from streams.simulate.card_fraud.simulation import Simulation

WORLD = Options(cards=1500, terminals=300)
PLAIN = replace(WORLD, refunds=0.0, reversals=0.0, declined=0.0)
_DECODE = msgspec.json.Decoder(Payment).decode


@pytest.fixture(scope="module")
def history() -> list[Batch]:
    return list(Simulation(WORLD).days(0, 18))


@pytest.fixture(scope="module")
def payments(history: list[Batch]) -> list[Payment]:
    return [_DECODE(row) for batch in history for row in encode_events(batch.transactions)]


def test_purchases_and_labels_are_those_of_a_world_without_other_kinds(history: list[Batch]) -> None:
    plain = Simulation(PLAIN)
    for n in (0, 9, 17):
        day, other = history[n], plain.day(n)
        bought = day.transactions.kind == 0
        assert encode_events(day.transactions.take(bought)) == encode_events(other.transactions)
        assert (day.truth.pattern[bought] == other.truth.pattern).all()
        assert not day.truth.pattern[~bought].any()
        assert encode_labels(day.labels) == encode_labels(other.labels)


def test_shares_are_those_that_were_asked_for(payments: list[Payment]) -> None:
    bought = sum(p.kind is None for p in payments)
    share = {kind: sum(p.kind == kind for p in payments) / bought for kind in ROLES.kinds[1:]}
    # On the first days nothing was bought yet that could be given back.
    assert 0.006 < share["refund"] < 0.014
    assert 0.002 < share["reversal"] < 0.004
    assert share["declined"] > 0.02


def test_a_refund_gives_back_at_most_what_was_paid_at_that_terminal_days_before(payments: list[Payment]) -> None:
    refunds = [p for p in payments if p.kind == "refund"]
    whole = 0
    for refund in refunds:
        paid = [
            p.measure
            for p in payments
            if p.kind is None
            and (p.subject, p.counterpart) == (refund.subject, refund.counterpart)
            and 1 <= refund.event_time_ms // DAY_MS - p.event_time_ms // DAY_MS <= 14
        ]
        assert paid
        assert refund.measure <= max(paid)
        whole += refund.measure in paid
    assert 0.5 < whole / len(refunds) < 1.0


def test_a_reversal_takes_back_all_of_a_purchase_within_the_hour(payments: list[Payment]) -> None:
    for reversal in (p for p in payments if p.kind == "reversal"):
        assert any(
            p.kind is None
            and (p.subject, p.counterpart, p.measure) == (reversal.subject, reversal.counterpart, reversal.measure)
            and 0 <= reversal.event_time_ms - p.event_time_ms < 90 * MINUTE_MS
            for p in payments
        )


def test_card_testing_is_many_small_declined_ones(history: list[Batch]) -> None:
    """Cards with four declined ones in a day: nearly all of them small and online, and some of them then pay for a thief."""
    tested, stolen = 0, 0
    for batch in history:
        events, pattern = batch.transactions, batch.truth.pattern
        cards, counts = np.unique(events.subject[events.kind == ROLES.kinds.index("declined")].astype(str), return_counts=True)
        many = set(cards[counts >= 4])
        thieves = set(events.subject[pattern == 1].astype(str))
        mine = np.array([s in many for s in events.subject]) & (events.kind == ROLES.kinds.index("declined"))
        if mine.any():
            assert np.mean(events.measure[mine] <= 500) > 0.9
            assert np.mean(events.mode[mine] == ROLES.modes.index("online")) > 0.9
        tested, stolen = tested + len(many), stolen + len(many & thieves)
    assert 0.3 < stolen / tested < 0.7


@pytest.mark.parametrize(
    ("text", "message"),
    [("refund", "KIND=SHARE"), ("purchase=0.1", "no kind 'purchase'"), ("refund=x", "share"), ("declined=0.6", "0.5")],
)
def test_a_wrong_kind_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_kind(text)


def test_kinds_are_asked_for_by_their_names_on_the_wire() -> None:
    assert [parse_kind(f"{kind}=0.1") for kind in ROLES.kinds[1:]] == [("refunds", 0.1), ("reversals", 0.1), ("declined", 0.1)]
