"""The reader's rules on a source and a clock of the test's own: cache, last known rows, ages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import REGISTRY

from features.base.durations import DAY_MS, HOUR_MS
from features.base.feast_settings import Feast
from features.online.cached_reader import Read, Reader
from features.online.store import ProfilesUnavailable
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH, Profiles

T = 1_600_000_000_000


class Store:
    """Rows of event time ``time_ms``; a card ``c7`` has 7 in its profile, a terminal ``t7`` seven tiles; ``-`` has none."""

    def __init__(self) -> None:
        self.up = True
        self.empty = False
        self.time_ms = T
        self.asked: list[tuple[list[str], list[str]]] = []

    def read(self, subjects: Sequence[str], counterparts: Sequence[str]) -> Profiles:
        self.asked.append((list(subjects), list(counterparts)))
        if not self.up:
            raise ProfilesUnavailable("Redis is away")
        numbers = [0 if self.empty or subject == "-" else int(subject[1:]) for subject in subjects]
        sizes = np.array([0 if self.empty or place == "-" else int(place[1:]) for place in counterparts], dtype=np.int64)
        owner = np.repeat(np.array([[n or np.nan] for n in numbers], dtype=np.float32).reshape(-1, 1), PROFILE_WIDTH, 1)
        usual = np.repeat(np.array(numbers, dtype=np.int64).reshape(-1, 1), USUAL_WIDTH, 1)
        times = np.where(np.array(numbers, dtype=np.int64) > 0, self.time_ms, 0)
        end = np.cumsum(sizes)
        return Profiles(
            owner,
            usual,
            times,
            np.repeat(sizes, sizes).reshape(-1, 1).repeat(4, 1),
            end - sizes,
            end,
            np.where(sizes > 0, self.time_ms, 0),
        )


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def times(*event_time_ms: int) -> NDArray[np.int64]:
    return np.array(event_time_ms, dtype=np.int64)


def numbers(read: Read) -> list[float]:
    return [-1 if np.isnan(n) else n for n in read.profiles.owner[:, 0].tolist()]


def sizes(read: Read) -> list[int]:
    sizes: list[int] = (read.profiles.end - read.profiles.begin).tolist()
    for i, (begin, end) in enumerate(zip(read.profiles.begin, read.profiles.end, strict=True)):
        assert (read.profiles.tiles[begin:end] == sizes[i]).all()
    return sizes


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_rows_are_aligned_with_repeated_and_unknown_ids(store: Store) -> None:
    read = Reader(store).read(["c2", "-", "c1", "c2"], ["t1", "t3", "-", "t3"], times(T, T, T, T))
    assert numbers(read) == [2, -1, 1, 2]
    assert sizes(read) == [1, 3, 0, 3]
    assert read.profiles.usual[:, 5].tolist() == [2, 0, 1, 2]
    assert read.profiles.owner_ts_ms.tolist() == [T, 0, T, T]
    assert read.profiles.counterpart_ts_ms.tolist() == [T, T, 0, T]
    assert not read.degraded
    assert store.asked == [(["c2", "-", "c1"], ["t1", "t3", "-"])]


def test_an_empty_batch_asks_nobody(store: Store) -> None:
    assert len(Reader(store).read([], [], times()).profiles.owner) == 0
    assert store.asked == []


def test_the_cache_answers_for_a_while_and_only_for_what_it_knows(store: Store, clock: Clock) -> None:
    reader = Reader(store, Feast(cache_s=0.5), clock)
    before = count("driftloop_profile_lookups_total", view="customer_profile", source="cache")
    reader.read(["c1"], ["t1"], times(T))
    clock.seconds += 0.4
    assert numbers(reader.read(["c1", "c2"], ["t1", "t1"], times(T, T))) == [1, 2]
    assert store.asked[1:] == [(["c2"], [])]
    assert count("driftloop_profile_lookups_total", view="customer_profile", source="cache") == before + 1
    clock.seconds += 0.1
    reader.read(["c1", "c2"], ["t1", "t1"], times(T, T))
    assert store.asked[2:] == [(["c1"], ["t1"])]


def test_that_there_is_no_row_is_remembered_too(store: Store, clock: Clock) -> None:
    reader = Reader(store, Feast(), clock)
    for _ in range(3):
        assert numbers(reader.read(["-"], ["-"], times(T))) == [-1]
    assert len(store.asked) == 1


@pytest.mark.parametrize("later_ms", [60_001, -60_001])
def test_a_replay_outruns_the_cache(store: Store, clock: Clock, later_ms: int) -> None:
    """No wall time passes, but a minute of event time does: rows may have been written in between."""
    reader = Reader(store, Feast(cache_event_s=60), clock)
    reader.read(["c1"], ["t1"], times(T))
    reader.read(["c1"], ["t1"], times(T + later_ms))
    assert len(store.asked) == 2


def test_zero_seconds_switch_the_cache_off(store: Store, clock: Clock) -> None:
    reader = Reader(store, Feast(cache_s=0), clock)
    for _ in range(3):
        reader.read(["c1"], ["t1"], times(T))
    assert len(store.asked) == 3


def test_a_batch_larger_than_the_memory_is_complete(store: Store, clock: Clock) -> None:
    reader = Reader(store, Feast(cache_entities=1), clock)
    for _ in range(2):
        assert numbers(reader.read(["c1", "c2", "c3"], ["t1", "t2", "t3"], times(T, T, T))) == [1, 2, 3]


def test_store_away_the_last_known_rows_answer_as_degraded(store: Store, clock: Clock) -> None:
    reader = Reader(store, Feast(), clock)
    reader.read(["c1"], ["t1"], times(T))
    store.up = False
    clock.seconds += 3600
    failed = count("driftloop_profile_reads_failed_total")
    read = reader.read(["c1", "c9"], ["t1", "t9"], times(T, T))
    assert (numbers(read), sizes(read), read.degraded) == ([1, -1], [1, 0], True)
    asked = len(store.asked)
    clock.seconds += 0.9
    assert reader.read(["c1"], ["t1"], times(T)).degraded
    assert len(store.asked) == asked, "the store is left alone for a second"
    assert count("driftloop_profile_reads_failed_total") == failed + 1
    store.up = True
    clock.seconds += 0.2
    read = reader.read(["c1", "c9"], ["t1", "t9"], times(T, T))
    assert (numbers(read), read.degraded) == ([1, 9], False)


def test_store_away_but_all_fresh_in_memory_is_not_degraded(store: Store, clock: Clock) -> None:
    reader = Reader(store, Feast(), clock)
    reader.read(["c1"], ["t1"], times(T))
    store.up = False
    assert not reader.read(["c1"], ["t1"], times(T)).degraded


def test_an_emptied_store_means_missing_not_degraded(store: Store, clock: Clock) -> None:
    reader = Reader(store, Feast(), clock)
    reader.read(["c1"], ["t1"], times(T))
    store.empty = True
    clock.seconds += 1
    read = reader.read(["c1"], ["t1"], times(T))
    assert (numbers(read), sizes(read), read.degraded) == ([-1], [0], False)
    assert read.profiles.age_ms(times(T)).tolist() == [-1]


def test_too_old_and_too_new_rows_are_counted_and_count_as_missing_unless_read_as_of_the_event(
    store: Store, clock: Clock
) -> None:
    rules = Feast(profile_max_age_days=10, profile_max_lead_hours=1, tiles_max_age_days=20, tiles_max_lead_days=5)
    name = "driftloop_profiles_misdated_total"
    before = {
        (view, reason): count(name, view=view, reason=reason)
        for view in ("customer_profile", "terminal_risk")
        for reason in ("stale", "future")
    }
    events = times(T, T + 11 * DAY_MS, T + 21 * DAY_MS, T - 2 * HOUR_MS, T - 6 * DAY_MS)
    read = Reader(store, rules, clock).read(["c1"] * 5, ["t2"] * 5, events)
    assert numbers(read) == [1, -1, -1, -1, -1]
    assert sizes(read) == [2, 2, 0, 2, 2]
    assert read.profiles.usual[:, 0].tolist() == [1, 0, 0, 0, 0]
    assert read.profiles.owner_ts_ms.tolist() == [T, 0, 0, 0, 0]
    assert read.profiles.counterpart_ts_ms.tolist() == [T, T, 0, T, T]
    counts = {key: count(name, view=key[0], reason=key[1]) - value for key, value in before.items()}
    assert counts == {
        ("customer_profile", "stale"): 2,
        ("customer_profile", "future"): 2,
        ("terminal_risk", "stale"): 1,
        ("terminal_risk", "future"): 1,
    }


def test_judging_one_batch_leaves_the_memory_alone(store: Store, clock: Clock) -> None:
    """A late event must not make the row vanish for the events after it."""
    reader = Reader(store, Feast(profile_max_lead_hours=0, cache_event_s=1e9, cache_s=60), clock)
    assert numbers(reader.read(["c1"], ["t1"], times(T - 1))) == [-1]
    assert numbers(reader.read(["c1"], ["t1"], times(T))) == [1]
    assert len(store.asked) == 1
