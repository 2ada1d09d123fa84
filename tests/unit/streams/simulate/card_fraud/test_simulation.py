from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from features.base.active import ROLES
from features.base.durations import DAY_MS
from features.base.events import Label
from features.domains.card_fraud.event import Payment
from streams.publish.batch import Batch, Events
from streams.publish.encode import encode_events, encode_labels
from streams.simulate.card_fraud.options import PATTERNS, TRUTH_NAMES, Options, parse_drift, parse_fault
from streams.simulate.card_fraud.simulation import Simulation

SMALL = Options(cards=1500, terminals=300)


@pytest.fixture(scope="module")
def history() -> list[Batch]:
    return list(Simulation(SMALL).days(0, 20))


def same(a: Events, b: Events) -> bool:
    return encode_events(a) == encode_events(b)


def of_pattern(batch: Batch, name: str) -> Events:
    return batch.transactions.take(batch.truth.pattern == TRUTH_NAMES.index(name))


def gather(history: list[Batch], name: str) -> Events:
    parts = [of_pattern(batch, name) for batch in history]
    return Events.joined(parts)


def seconds_between(columns: Events) -> NDArray[np.float64]:
    """Seconds between consecutive rows of the same card."""
    order = np.lexsort((columns.event_time_ms, columns.subject.astype(str)))
    card, time = columns.subject[order], columns.event_time_ms[order]
    return np.asarray(np.diff(time)[card[1:] == card[:-1]] / 1000.0)


def hours(columns: Events) -> NDArray[np.float64]:
    return np.asarray(columns.event_time_ms % DAY_MS / 3_600_000)


def test_equal_options_give_equal_bytes_and_days_can_be_made_in_any_order() -> None:
    simulation, other = Simulation(SMALL), Simulation(SMALL)
    later = other.day(5)
    for n in (4, 5):
        a, b = simulation.day(n), other.day(n)
        assert same(a.transactions, b.transactions)
        assert encode_labels(a.labels) == encode_labels(b.labels)
        assert (a.truth.pattern == b.truth.pattern).all()
    assert same(later.transactions, simulation.day(5).transactions)
    assert not same(later.transactions, Simulation(replace(SMALL, seed=8)).day(5).transactions)


def test_events_are_valid_unique_and_in_order(history: list[Batch]) -> None:
    decode = msgspec.json.Decoder(Payment).decode
    ids: set[str] = set()
    newest = 0
    for batch in history:
        times = batch.transactions.event_time_ms
        assert batch.start_ms <= times[0]
        assert times[-1] < batch.end_ms
        assert newest <= times[0]
        assert (np.diff(times) >= 0).all()
        newest = int(times[-1])
        ids.update(decode(line).event_id for line in encode_events(batch.transactions))
    assert len(ids) == sum(len(batch.transactions) for batch in history)


def test_every_pattern_of_the_start_has_its_share(history: list[Batch]) -> None:
    pattern = np.concatenate([batch.truth.pattern for batch in history])
    assert 0.006 < (pattern > 0).mean() < 0.013
    for code, name in enumerate(PATTERNS, start=1):
        share = (pattern == code).mean()
        assert (share > 0.0005) == (name != "merchant_collusion"), name


def test_card_testing_is_small_online_and_fast(history: list[Batch]) -> None:
    frauds = gather(history, "card_testing")
    assert (frauds.mode == ROLES.modes.index("online")).all()
    assert np.mean(frauds.measure <= 500) > 0.8
    assert np.median(seconds_between(frauds)) < 300


def test_a_stolen_card_is_far_from_home(history: list[Batch]) -> None:
    world = Simulation(SMALL).world
    frauds = gather(history, "stolen_card")
    card = np.array([int(text[1:]) for text in frauds.subject])
    degrees = np.hypot(frauds.latitude - world.home_lat[card], frauds.longitude - world.home_lon[card])
    assert np.quantile(degrees, 0.1) > 0.3
    assert np.median(frauds.measure) > 9000
    assert np.mean(frauds.mode == ROLES.modes.index("swipe")) > 0.5


def test_a_compromised_terminal_gathers_its_frauds(history: list[Batch]) -> None:
    frauds = gather(history, "compromised_terminal")
    terminals, counts = np.unique(frauds.counterpart.astype(str), return_counts=True)
    assert len(terminals) < 15
    assert counts.max() >= 10


def test_account_takeover_is_online_at_night_at_new_merchants(history: list[Batch]) -> None:
    world = Simulation(SMALL).world
    frauds = gather(history, "account_takeover")
    assert (frauds.mode == ROLES.modes.index("online")).all()
    assert np.mean(hours(frauds) < 6.0) > 0.9
    for card, terminal in zip(frauds.subject, frauds.counterpart, strict=True):
        assert int(terminal[1:]) not in world.online_favourites[int(card[1:])]


def test_a_contactless_runup_stays_below_the_limit(history: list[Batch]) -> None:
    frauds = gather(history, "contactless_runup")
    assert (frauds.mode == ROLES.modes.index("contactless")).all()
    assert frauds.measure.max() <= 5000
    assert frauds.measure.min() >= 2500
    assert (frauds.flag == 0).all()


def test_a_pattern_dies_and_another_is_born_at_their_time() -> None:
    drifts = (parse_drift("pattern:stolen_card=off@2.5"), parse_drift("pattern:merchant_collusion=on@3"))
    before = Simulation(SMALL)
    drifted = Simulation(replace(SMALL, drifts=drifts))
    assert same(before.day(1).transactions, drifted.day(1).transactions)
    assert (hours(of_pattern(drifted.day(2), "stolen_card")) < 12.0).all()
    assert all(len(of_pattern(drifted.day(n), "stolen_card")) == 0 for n in range(3, 8))
    born = gather(list(drifted.days(3, 8)), "merchant_collusion")
    assert len(born) > 20
    assert (born.measure % 2000 == 0).all()
    assert (born.mode == ROLES.modes.index("chip")).all()
    assert (born.flag == 1).all()


def test_amounts_drift_from_their_minute_on() -> None:
    drifted = Simulation(replace(SMALL, drifts=(parse_drift("amounts=1.6@1.5"), parse_drift("amounts=1.0@3"))))
    before = Simulation(SMALL)

    def ratio(n: int, part: slice) -> float:
        a, b = drifted.day(n).transactions, before.day(n).transactions
        chosen = [c.measure[(hours(c) >= part.start) & (hours(c) < part.stop)].mean() for c in (a, b)]
        return float(chosen[0] / chosen[1])

    assert ratio(1, slice(0, 12)) == pytest.approx(1.0, abs=0.03)
    assert ratio(1, slice(12, 24)) == pytest.approx(1.6, abs=0.05)
    assert ratio(2, slice(0, 24)) == pytest.approx(1.6, abs=0.05)
    assert ratio(3, slice(0, 24)) == pytest.approx(1.0, abs=0.001)


def test_faults_change_what_is_sent_and_nothing_else() -> None:
    faults = tuple(map(parse_fault, ("amount_unit@1:1", "location_missing@2:0.5", "entry_mode_stuck@3:1")))
    clean, faulty = Simulation(SMALL), Simulation(replace(SMALL, faults=faults))
    for n in range(5):
        a, b = clean.day(n), faulty.day(n)
        assert (a.truth.pattern == b.truth.pattern).all()
        assert encode_labels(a.labels) == encode_labels(b.labels)
        assert (b.transactions.measure == a.transactions.measure * (100 if n == 1 else 1)).all()
        assert (b.transactions.mode == (ROLES.modes.index("manual") if n == 3 else a.transactions.mode)).all()
        lost = np.isnan(b.transactions.latitude) & ~np.isnan(a.transactions.latitude)
        assert lost.any() == (n == 2)
        assert (hours(b.transactions.take(lost)) < 12.0).all()
    assert same(clean.day(4).transactions, faulty.day(4).transactions)


def test_labels_come_late_and_some_very_late(history: list[Batch]) -> None:
    labels = [batch.labels for batch in history]
    fraud = np.concatenate([part.positive for part in labels])
    analyst = np.concatenate([part.source for part in labels]) == 1
    days = np.concatenate([part.label_time_ms - part.event_time_ms for part in labels]) / DAY_MS
    assert fraud.sum() == sum(int(batch.truth.positive.sum()) for batch in history)
    assert 0.12 < analyst[fraud].mean() < 0.28
    assert days[analyst].max() < 1.0
    assert 2.0 < np.median(days[~analyst]) < 3.0
    assert 0.01 < (days[~analyst] > 7.0).mean() < 0.1
    assert analyst[~fraud].all()
    assert 10 < (~fraud).sum() < fraud.sum()
    assert all((np.diff(part.label_time_ms) >= 0).all() for part in labels)


def test_labels_owed_at_a_day_are_those_not_due_before() -> None:
    simulation = Simulation(SMALL)
    owed = simulation.pending_labels(6)
    start = simulation.day_start_ms(6)
    expected = sum(int((batch.labels.label_time_ms >= start).sum()) for batch in simulation.days(0, 6))
    assert len(owed) == expected > 0
    assert owed.label_time_ms.min() >= start
    assert owed.event_time_ms.max() < start
    assert len(simulation.pending_labels(0)) == 0


def test_reversed_labels_come_beside_the_others_and_later() -> None:
    plain, some = Simulation(SMALL), Simulation(replace(SMALL, withdrawn_rate=0.4))
    pairs = [(plain.day(n), some.day(n)) for n in range(6)]
    frauds = reversals = 0
    for a, b in pairs:
        assert encode_events(a.transactions) == encode_events(b.transactions)
        before = [msgspec.json.decode(body, type=Label) for body in encode_labels(a.labels)]
        extra = [msgspec.json.decode(body, type=Label) for body in encode_labels(b.labels)]
        first = {given.event_id: given for given in before}
        for given in before:
            extra.remove(given)
        assert all(not given.positive and first[given.event_id].positive for given in extra)
        assert all(given.source == first[given.event_id].source for given in extra)
        assert all(given.label_time_ms > first[given.event_id].label_time_ms for given in extra)
        assert (np.diff(b.labels.label_time_ms) >= 0).all()
        frauds, reversals = frauds + sum(given.positive for given in before), reversals + len(extra)
    assert 0.3 < reversals / frauds < 0.5
    owed, start = some.pending_labels(6), some.day_start_ms(6)
    assert len(owed) == sum(int((batch.labels.label_time_ms >= start).sum()) for _, batch in pairs)


def test_the_smallest_world_works() -> None:
    batch = Simulation(Options(cards=1, terminals=40, rate=0.01, fraud_rate=0.0)).day(0)
    assert len(batch.transactions) < 5
    assert len(encode_events(batch.transactions)) == len(batch.transactions)
    with pytest.raises(ValueError, match="day is -1"):
        Simulation(SMALL).day(-1)
