"""The simulated shop: the same each time, days that stand alone, drifts and faults that do what they say."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from features.base.durations import DAY_MS, HOUR_MS, SECOND_MS
from streams.simulate.clicks.options import Options, parse_drift, parse_fault, requested
from streams.simulate.clicks.simulation import Simulation
from streams.simulate.clicks.world import FEED
from streams.simulate.simulator import Request

SMALL = Options(users=300, items=80)


def shop(*drifts: str, faults: tuple[str, ...] = ()) -> Simulation:
    return Simulation(
        Options(users=300, items=80, drifts=tuple(map(parse_drift, drifts)), faults=tuple(map(parse_fault, faults)))
    )


def test_a_day_depends_on_nothing_but_options_and_number() -> None:
    alone, inorder = Simulation(SMALL).day(3), list(Simulation(SMALL).days(0, 4))[3]
    for name in ("event_id", "event_time_ms", "subject", "counterpart", "measure", "category", "mode"):
        np.testing.assert_array_equal(alone.transactions.column(name), inorder.transactions.column(name))
    np.testing.assert_array_equal(alone.labels.label_time_ms, inorder.labels.label_time_ms)
    other = Simulation(Options(users=300, items=80, seed=8)).day(3)
    assert other.transactions.measure.tolist() != alone.transactions.measure.tolist()


def test_days_are_in_order_and_within_their_day() -> None:
    for batch in Simulation(SMALL).days(0, 3):
        times = batch.transactions.event_time_ms
        assert (np.diff(times) >= 0).all()
        assert batch.start_ms <= times.min() <= times.max() < batch.end_ms
    with pytest.raises(ValueError, match="day is -1"):
        Simulation(SMALL).day(-1)


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.2])
def test_the_share_of_purchases_is_what_was_asked_for(rate: float) -> None:
    truth = np.concatenate([b.truth.positive for b in Simulation(Options(bought_rate=rate)).days(0, 5)])
    assert truth.mean() == pytest.approx(rate, rel=0.1)


def test_every_purchase_is_labelled_within_hours() -> None:
    batch = Simulation(SMALL).day(1)
    labels = batch.labels
    bought = set(batch.transactions.event_id[batch.truth.positive].tolist())
    assert set(labels.event_id[labels.positive].tolist()) == bought
    assert (labels.source == np.where(labels.positive, 0, 1)).all()
    delay = labels.label_time_ms - labels.event_time_ms
    assert 0 < delay.min() <= delay.max() <= 20 * HOUR_MS


def test_pending_labels_are_those_that_come_after_their_day() -> None:
    source = Simulation(SMALL)
    pending, day = source.pending_labels(2), source.day(1)
    late = day.labels.label_time_ms >= source.day_start_ms(2)
    assert sorted(pending.event_id.tolist()) == sorted(day.labels.event_id[late].tolist())
    assert late.any()
    assert len(source.pending_labels(0)) == 0


def test_a_drift_makes_looks_longer_from_its_day_on() -> None:
    plain, drifted = shop().day(2).transactions, shop("dwell=2@2.5").day(2).transactions
    after = plain.event_time_ms >= SMALL.start_ms + 2.5 * DAY_MS
    assert after.any()
    np.testing.assert_array_equal(plain.measure[~after], drifted.measure[~after])
    assert np.median(drifted.measure[after] / plain.measure[after]) == pytest.approx(2.0, abs=0.01)


def test_faults_are_what_is_sent() -> None:
    plain, wrong = shop().day(1), shop(faults=("dwell_unit@1:1", "surface_stuck@1:1")).day(1)
    np.testing.assert_array_equal(wrong.transactions.measure, plain.transactions.measure // SECOND_MS)
    assert (wrong.transactions.mode == FEED).all()
    np.testing.assert_array_equal(wrong.truth.pattern, plain.truth.pattern)


def test_a_request_has_the_shops_own_sizes_by_default() -> None:
    assert requested(Request(date(2026, 1, 5), 7)) == Options()
    asked = Request(date(2026, 1, 5), 7, 10, 50, 0.1, 2.0, ("dwell=2@1",), ("dwell_unit@1",))
    assert requested(asked) == Options(
        10, 50, bought_rate=0.1, rate=2.0, drifts=(parse_drift("dwell=2@1"),), faults=(parse_fault("dwell_unit@1:1"),)
    )


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("drift", "amounts=2@3", "write dwell=FACTOR@DAY"),
        ("drift", "dwell=0@3", "the factor is 0"),
        ("drift", "dwell=2@x", "the day is 'x'"),
        ("fault", "pin@3", "there is no fault 'pin'"),
        ("fault", "dwell_unit", "write KIND@DAY:DAYS"),
        ("fault", "dwell_unit@1:0", "write KIND@DAY:DAYS"),
    ],
)
def test_wrong_texts_are_refused(kind: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        (parse_drift if kind == "drift" else parse_fault)(text)


@pytest.mark.parametrize("field", ["users", "items", "seed", "bought_rate", "rate"])
def test_wrong_sizes_are_refused_by_name(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Options(**{field: -1})  # type: ignore[arg-type] # one field of any type


def test_what_was_bought_is_not_withdrawn() -> None:
    assert requested(Request(date(2026, 1, 5), 7, withdrawn_rate=0.0)) == Options()
    with pytest.raises(ValueError, match=r"withdrawn_rate is 0\.1; it must be 0 in this world"):
        requested(Request(date(2026, 1, 5), 7, withdrawn_rate=0.1))
