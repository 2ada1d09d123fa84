"""Feast's point-in-time joins against brute force: 100,000 events, and whatever hypothesis thinks of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.base.durations import DAY_MS, HOUR_MS
from features.base.settings import Settings, load
from features.feast_repo.store import apply
from features.offline.point_in_time import point_in_time, write_counterpart_risk, write_profiles_offline
from features.online.store import CounterpartRow, ProfileRow
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH, Profiles

pytestmark = pytest.mark.timeout(300)

T0 = 17_600 * DAY_MS
EVENTS = 100_000


def fresh(platform: Settings, folder: Path) -> Settings:
    settings = load(folder)
    settings.ports.redis = platform.ports.redis
    apply(settings)
    return settings


def person(subject: str, time_ms: int, value: int) -> ProfileRow:
    return ProfileRow(
        subject, time_ms, np.full(PROFILE_WIDTH, value, dtype=np.float32), np.full(USUAL_WIDTH, value, dtype=np.int64)
    )


def place(counterpart: str, time_ms: int, revision: int) -> CounterpartRow:
    """Tiles that tell which row they are; their number differs from row to row."""
    rows = 1 + revision % 3
    return CounterpartRow(counterpart, time_ms, np.full((rows, 4), revision + 1, dtype=np.int64), revision)


def newest(times: NDArray[np.int64], order: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each time asked, which row is the newest that is not younger, -1 if none; among equals the highest ``order``.

    Compares all with all.
    """
    rank = np.lexsort((order, times))
    allowed = times[rank][None, :] <= asked[:, None]
    return np.where(allowed.any(axis=1), rank[allowed.shape[1] - 1 - allowed[:, ::-1].argmax(axis=1)], -1)


def assert_as_by_brute_force(
    settings: Settings, got: Profiles, events: pd.DataFrame, profiles: Sequence[ProfileRow], risk: Sequence[CounterpartRow]
) -> None:
    time = events["event_time_ms"].to_numpy(dtype=np.int64)
    step, delay = settings.labels.step_hours * HOUR_MS, settings.labels.delay_ms
    for key, role, rows, asked in (
        ("card_id", "subject", profiles, time),
        ("terminal_id", "counterpart", risk, (time - delay) // step * step + delay),
    ):
        of: dict[str, list[int]] = {}
        for number, row in enumerate(rows):
            of.setdefault(getattr(row, role), []).append(number)
        owner = events[key].to_numpy()
        want = np.full(len(events), -1)
        for entity, numbers in of.items():
            mine = np.flatnonzero(owner == entity)
            held = np.array(numbers)
            times = np.array([rows[n].event_time_ms for n in numbers])
            positions = newest(times, held, asked[mine])
            want[mine] = np.where(positions >= 0, held[positions], -1)
        if role == "subject":
            value = np.nan_to_num(got.owner, nan=-1.0).astype(np.int64)
            assert (value == np.array([rows[n].profile[0] if n >= 0 else -1 for n in want])[:, None]).all()
            assert (got.usual == np.maximum(value[:, :1], 0)).all()
            assert (got.owner_ts_ms == np.array([rows[n].event_time_ms if n >= 0 else 0 for n in want])).all()
        else:
            assert ((got.end - got.begin) == np.array([len(rows[n].tiles) if n >= 0 else 0 for n in want])).all()
            known = want >= 0
            assert (got.tiles[got.begin[known], 0] == np.array([rows[n].tiles[0, 0] for n in want[known]])).all()
            assert (got.counterpart_ts_ms == np.array([rows[n].event_time_ms if n >= 0 else 0 for n in want])).all()


def test_a_hundred_thousand_events_are_joined_as_by_brute_force(platform: Settings, tmp_path: Path) -> None:
    """Ties, repeated events, entities without rows, rows twice; a value that was learned later is left out."""
    settings = fresh(platform, tmp_path)
    draw = np.random.default_rng(5)
    rows, subjects, counterparts = 20_000, 700, 500
    # A terminal's rows are written in the order of its partition's log: their times never go back, and the later one counts.
    times = np.sort(T0 + draw.integers(0, 60 * 24, rows) * HOUR_MS + draw.integers(0, 2, rows) * 1234)
    risk = [
        place(f"t{t}", int(at), revision)
        for revision, (t, at) in enumerate(zip(draw.integers(0, counterparts, rows), times, strict=True))
    ]
    for part in range(4):
        write_counterpart_risk(settings, risk[part * 5000 : part * 5000 + 5000], f"outcomes-0-{part}")
    write_counterpart_risk(settings, risk[4000:6000], "outcomes-0-again")
    drawn = {(int(c), int(d)) for c, d in zip(draw.integers(0, subjects, rows), draw.integers(0, 60, rows), strict=True)}
    profiles = [person(f"c{subject}", T0 + day * DAY_MS, i) for i, (subject, day) in enumerate(sorted(drawn))]
    write_profiles_offline(settings, profiles, "daily")
    events = pd.DataFrame(
        {
            "card_id": [f"c{i}" for i in draw.integers(0, subjects + 50, EVENTS)],
            "terminal_id": [f"t{i}" for i in draw.integers(0, counterparts + 50, EVENTS)],
            "event_time_ms": T0 - DAY_MS + draw.integers(0, 75 * 24 * 4, EVENTS) * (HOUR_MS // 4),
        },
        index=draw.permutation(EVENTS),
    )
    got = point_in_time(settings, events)
    assert (got.owner_ts_ms > 0).mean() > 0.8
    assert (got.counterpart_ts_ms > 0).mean() > 0.7
    assert_as_by_brute_force(settings, got, events, profiles, risk)


entity = st.integers(0, 2)
hour = st.integers(0, 12 * 24)


@how(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    risk=st.lists(st.tuples(entity, hour), max_size=20),
    days=st.sets(st.tuples(entity, st.integers(0, 12)), max_size=20),
    asked=st.lists(st.tuples(entity, entity, hour), min_size=1, max_size=20),
    later=st.integers(1, 100),
)
def test_a_join_sees_nothing_of_what_comes_later(
    platform: Settings,
    tmp_path_factory: pytest.TempPathFactory,
    risk: list[tuple[int, int]],
    days: set[tuple[int, int]],
    asked: list[tuple[int, int, int]],
    later: int,
) -> None:
    """Time travel: the same answers as brute force, and the same again once rows of later times are there."""
    settings = fresh(platform, tmp_path_factory.mktemp("join"))
    rows = [place(f"t{t}", T0 + at * HOUR_MS, i) for i, (t, at) in enumerate(sorted(risk, key=lambda r: r[1]))]
    profiles = [person(f"c{c}", T0 + day * DAY_MS, i) for i, (c, day) in enumerate(sorted(days))]
    write_counterpart_risk(settings, rows, "first")
    write_profiles_offline(settings, profiles, "first")
    events = pd.DataFrame(
        {
            "card_id": [f"c{c}" for c, _, _ in asked],
            "terminal_id": [f"t{t}" for _, t, _ in asked],
            "event_time_ms": [T0 + at * HOUR_MS for _, _, at in asked],
        }
    )
    before = point_in_time(settings, events)
    assert_as_by_brute_force(settings, before, events, profiles, rows)
    last = int(events["event_time_ms"].max())
    write_counterpart_risk(settings, [place(f"t{t}", last + later, 1000 + t) for t in range(3)], "later")
    write_profiles_offline(settings, [person(f"c{c}", last + later, 1000) for c in range(3)], "later")
    after = point_in_time(settings, events)
    for name in ("owner", "usual", "owner_ts_ms", "counterpart_ts_ms"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    for i in range(len(events)):
        np.testing.assert_array_equal(before.tiles[before.begin[i] : before.end[i]], after.tiles[after.begin[i] : after.end[i]])
