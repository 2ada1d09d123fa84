"""The pure parts of the streams' benchmark: percentiles, goals, and what the tables say of a result."""

from __future__ import annotations

import cProfile
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.common import Machine, write
from benchmarks.streams.cards import spread_over
from benchmarks.streams.peers.card_window import DAY_MS, HOUR_MS, question, step
from benchmarks.streams.percentiles import latencies_ms, percentiles
from benchmarks.streams.phases import Clocks, Phase, Phases
from benchmarks.streams.profile import summary
from benchmarks.streams.tables import cards, latency, state, tuning
from benchmarks.streams.tables import throughput as table
from benchmarks.streams.world import simulate
from features.domains.card_fraud.event import Payment

HERE = Machine("a processor", 2, 23.4, "Linux x86_64", "3.11.7", "2026-11-25", 0.25)


def test_percentiles_are_values_that_were_measured() -> None:
    values = np.random.default_rng(1).permutation(np.arange(1.0, 1001.0))
    assert percentiles(values) == (500.0, 950.0, 990.0, 999.0)
    assert percentiles(np.array([7.0])) == (7.0, 7.0, 7.0, 7.0)
    with pytest.raises(ValueError, match="no latencies"):
        percentiles(np.array([]))


def test_latencies_ask_for_every_record_once() -> None:
    sent = {"a": 1_000_000, "b": 2_000_000}
    assert latencies_ms(sent, [("b", 5_000_000), ("a", 1_500_000)]).tolist() == [3.0, 0.5]
    with pytest.raises(ValueError, match="2 were sent, 1 received, 1 never came"):
        latencies_ms(sent, [("a", 5_000_000)])
    with pytest.raises(ValueError, match="2 were sent, 3 received"):
        latencies_ms(sent, [("a", 1), ("b", 2), ("b", 3)])


def test_the_throughput_is_compared_with_the_best_of_the_limit_and_of_the_scorer(tmp_path: Path) -> None:
    rates = [
        table.Rate(table.LIMIT, 4_000, 100_000, 2.0, 1.0),
        table.Rate(table.LIMIT, 10_000, 100_000, 1.0, 0.5),
        table.Rate(table.SCORER, 4_000, 100_000, 4.0, 2.0),
        table.Rate(table.QUIX, 0, 10_000, 2.0, 2.0, "with its calls"),
    ]
    phases = Phases(100_000, 15.0, 20.0, [Phase("the transform", 2.0, 3.0)])
    write(table.Throughput(HERE, 100_000, 1_000, 4, 250.0, rates, None, phases), tmp_path / "t.json")
    text = table.section(tmp_path / "t.json")
    assert "| the scorer | 4,000 | 100,000 | 4.00 | 2.00 | 25,000 | 50,000 | 0.250 | 1.0x |" in text
    assert "share of the limit's events a CPU second, >= 0.4: 0.25, MISSED (0.62 of the goal)." in text
    assert "against Quix Streams, with its calls, events a CPU second, >= 5x: 10.00x, reached (2.00 times the goal)." in text
    assert "- Goal, against Faust, >= 50x: not measured." in text
    assert "| the transform | 2.00 | 10% | 3.00 |" in text
    assert "| librdkafka's and gRPC's threads | 5.00 | 25% | |" in text

    write(table.Throughput(HERE, 1, 1, 1, 1.0, rates[:2]), tmp_path / "t.json")
    with pytest.raises(ValueError, match="lacks the limit or the scorer"):
        table.section(tmp_path / "t.json")


def test_the_latency_is_compared_at_each_rate(tmp_path: Path) -> None:
    hops = [
        latency.Hop(table.LIMIT, 1_000, 10_000, 999.0, 10.0, 12.0, 20.0, 30.0),
        latency.Hop(table.SCORER, 1_000, 10_000, 999.0, 15.0, 20.0, 60.0, 90.0),
    ]
    write(latency.Latency(HERE, 1, 10.0, hops), tmp_path / "l.json")
    text = latency.section(tmp_path / "l.json")
    assert "p50 at 1,000 events/s against the bare hop, <= 2x: 1.50x, reached (0.75 of what is allowed)." in text
    assert "p99 at 1,000 events/s against the bare hop, <= 2x: 3.00x, MISSED (1.50 of what is allowed)." in text
    assert "p99 at 1,000 events/s, <= 50 ms: 60.00 ms, MISSED" in text


def test_the_settings_are_told_with_what_was_tried(tmp_path: Path) -> None:
    ways = [
        tuning.Changed("linger.ms", "0", "0", 20_000, 10.0, 20.0, 30.0),
        tuning.Changed("linger.ms", "0", "2", 20_000, 11.0, 21.0, 31.0),
    ]
    write(tuning.Tuning(HERE, 1_000, 2, 10.0, ways), tmp_path / "t.json")
    lines = tuning.section(tmp_path / "t.json").splitlines()
    assert "| as it is |  |  | 20,000 | 10.0 | 20.0 | 30.0 |" in lines
    assert "| linger.ms | 0 | 2 | 20,000 | 11.0 | 21.0 | 31.0 |" in lines


def test_the_state_tells_bytes_a_card_and_how_speed_changes(tmp_path: Path) -> None:
    held = state.Held(100, 6_000, 30, 190_000, 30_000, 250_000)
    kept = state.Kept(100, 6_000, 100.0, 2_000, 5, 3.2, 0.1, 2.0, 1.0, 1.0, 3.0, 3.5)
    growth = [state.Growth(100, 6.0, 1_000, 0.01, 1.0), state.Growth(1_000, 6.0, 1_000, 0.02, 10.0)]
    write(state.State(HERE, held, [kept], growth), tmp_path / "s.json")
    text = state.section(tmp_path / "s.json")
    assert "100 cards with 60 transactions each in 30 days: 1,900 bytes a card" in text
    assert "| 2.00 | 50 | 1.00 | 3.00 | 25 |" in text
    assert "| 1,000 | 6.0 | 10 | 1,000 | 50,000 | 0.50 |" in text
    assert "bytes a card's history takes, <= 2,000: 1,900.00, reached" in text


def test_throughput_by_cards_is_compared_with_the_smallest_state(tmp_path: Path) -> None:
    points = [cards.Point(100, 3.0, 1.5, 1_000, 0.5, 0.1, 0.12), cards.Point(1_000, 1.02, 15.2, 1_000, 1.0, 0.125, 0.34)]
    write(cards.Cards(HERE, 4, 2, 1_000, points), tmp_path / "c.json")
    lines = cards.section(tmp_path / "c.json").splitlines()
    assert "| 100 | 3.0 | 2 | 0.50 | 0.12 | 0.10 | 2,000 | 10,000 | 1.00 |" in lines
    assert "| 1,000 | 1.0 | 15 | 1.00 | 0.34 | 0.12 | 1,000 | 8,000 | 0.80 |" in lines
    assert any("one scorer, 4 partitions. Redis holds the profiles of 1,000 cards" in line for line in lines)


def test_payments_are_spread_over_all_cards() -> None:
    """Each card pays once, to be in the state; the measured payments are by cards drawn from all of them."""
    given, _, _ = simulate(5_000, 100)
    ids = [f"n{i:07d}" for i in range(1_000)]
    made = spread_over(given, ids, 3_000)
    paid = [msgspec.json.decode(value, type=Payment) for value in made.values]
    assert [payment.subject.encode() for payment in paid] == made.keys
    assert sorted(payment.subject for payment in paid[:1_000]) == ids
    assert len({payment.subject for payment in paid[1_000:]}) > 900
    before = [msgspec.json.decode(value, type=Payment) for value in given.values[-4_000:]]
    assert [msgspec.structs.replace(payment, subject="") for payment in paid] == [
        msgspec.structs.replace(payment, subject="") for payment in before
    ]
    with pytest.raises(ValueError, match="4000 payments more need that many events, not 4000"):
        spread_over(made, ids, 4_000)


def test_the_peers_window_forgets_what_is_older_than_a_day() -> None:
    recent: list[list[int]] = []
    for time_ms, amount in ((0, 100), (DAY_MS - 1, 300), (DAY_MS, 500)):
        recent, numbers = step(recent, {"event_time_ms": time_ms, "amount_minor": amount})
    assert recent == [[DAY_MS - 1, 300], [DAY_MS, 500]]
    assert numbers == [5.0, 2.0, 8.0, 4.0, 5.0, 2.0, 8.0, 4.0, 5.0]
    recent, numbers = step(recent, {"event_time_ms": DAY_MS + HOUR_MS, "amount_minor": 100})
    assert numbers[1:5] == [1.0, 1.0, 1.0, 1.0]
    assert question([1.0], [2.0, 3.0], 4)["inputs"][0]["data"] == [1.0, 2.0, 3.0, 0.0]


def test_clocks_and_profiles_are_by_the_event() -> None:
    clocks = Clocks()
    wait = clocks.around("wait", time.sleep)
    wait(0.02)
    wait(0.02)
    cpu, wall = clocks.seconds["wait"]
    assert wall >= 0.04
    assert cpu < wall

    clocks.seconds = {"wait": (0.2, 0.4)}
    assert clocks.phases(100, 0.3, 0.5) == Phases(100, 3_000.0, 5_000.0, [Phase("wait", 2_000.0, 4_000.0)])

    profiler = cProfile.Profile()
    profiler.runcall(lambda: [len("x") for _ in range(100)])
    profile = summary(profiler, [20, 30])
    assert (profile.events, profile.batches) == (50, 2)
    assert {line.function: line.calls for line in profile.lines}["built-in method builtins.len"] == 2.0
    with pytest.raises(ValueError, match="no batch was profiled"):
        summary(profiler, [])
