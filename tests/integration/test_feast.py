"""Feast on a real Redis and on Parquet: what we write, Feast reads, and the other way round."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import redis
from numpy.typing import NDArray

from features.archive.layout import owner_profile_folder
from features.base.durations import DAY_MS, HOUR_MS
from features.base.settings import Settings, load
from features.catalogue.vector import SCHEMA, SERVICE, WIDTH
from features.feast_repo.store import apply
from features.offline.point_in_time import point_in_time, write_counterpart_risk, write_profiles_offline
from features.online.feast_encoding import PROJECT
from features.online.store import Activity, CounterpartRow, OnlineWriter, ProfileReader, ProfileRow, ProfilesUnavailable
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH, Profiles

T0 = 17_600 * DAY_MS


@pytest.fixture(scope="module")
def settings(platform: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A feature store of this module's own, on the shared Redis."""
    settings = load(tmp_path_factory.mktemp("feast"))
    settings.ports.redis = platform.ports.redis
    apply(settings)
    return settings


def tiles(seed: int) -> NDArray[np.int64]:
    draw = np.random.default_rng(seed)
    return draw.integers(0, 1000, (int(draw.integers(1, 90)), 4), dtype=np.int64)


def person(subject: str, time_ms: int, *values: float) -> ProfileRow:
    """A profile that begins with ``values``; the rest goes by its first one."""
    profile = np.full(PROFILE_WIDTH, values[0], dtype=np.float32)
    profile[: len(values)] = values
    return ProfileRow(subject, time_ms, profile, np.arange(USUAL_WIDTH, dtype=np.int64) - int(values[0]) * 2**40)


def tiles_of(profiles: Profiles, i: int) -> list[list[int]]:
    rows: list[list[int]] = profiles.tiles[profiles.begin[i] : profiles.end[i]].tolist()
    return rows


def test_feast_reads_what_we_write(settings: Settings) -> None:
    writer = OnlineWriter(settings)
    vector = np.linspace(-1, 1, WIDTH, dtype=np.float32)
    writer.write_activity(
        [Activity("read-1", T0 + 123, vector, SCHEMA, 0.25, "tx-ä"), Activity("read-2", T0, vector, SCHEMA, None, "y")]
    )
    writer.write_counterpart_risk([CounterpartRow("read-t", T0 + 5, tiles(1), 7)])
    writer.write_profiles([person("read-1", T0, 48.5, -2.25, 17.5, 90.0)])
    store = apply(settings)
    paid = {"event_time_ms": T0, "amount_minor": 1, "latitude": 0.0, "longitude": 0.0, "merchant_category": ""}
    rows = [paid | {"card_id": "read-1", "terminal_id": "read-t"}, paid | {"card_id": "read-2", "terminal_id": "nobody"}]
    got = store.get_online_features(features=store.get_feature_service(SERVICE), entity_rows=rows)
    values = got.to_dict(include_event_timestamps=True)
    assert values["vector"] == [vector.tolist()] * 2
    assert values["score"] == [0.25, None]
    assert values["schema"] == [SCHEMA, SCHEMA]
    assert values["transaction_id"] == ["tx-ä", "y"]
    assert values["tiles"] == [tiles(1).reshape(-1).tolist(), None]
    mine = person("read-1", T0, 48.5, -2.25, 17.5, 90.0)
    assert values["profile"] == [mine.profile.tolist(), None]
    assert values["usual"] == [mine.usual.tolist(), None]
    assert values["vector__ts"][0] == (T0 + 123) // 1000


def test_we_read_what_feast_writes(settings: Settings) -> None:
    store = apply(settings)
    time = datetime.fromtimestamp(T0 / 1000 + 0.5, UTC)
    mine = person("fw", 1, 1.0, 2.0, 3.0, 4.0)
    frame = pd.DataFrame(
        {
            "card_id": ["fw"],
            "event_timestamp": [time],
            "created": [time],
            "as_of_ms": [1],
            "profile": [mine.profile.tolist()],
            "usual": [mine.usual.tolist()],
        }
    )
    store.write_to_online_store("customer_profile", frame)
    frame = pd.DataFrame(
        {
            "terminal_id": ["fw"],
            "event_timestamp": [time],
            "created": [time],
            "revision": [1],
            "tiles": [tiles(2).reshape(-1).tolist()],
        }
    )
    store.write_to_online_store("terminal_risk", frame)
    got = ProfileReader(settings).read(["fw"], ["fw"])
    assert got.owner.tolist() == [mine.profile.tolist()]
    assert got.usual.tolist() == [mine.usual.tolist()]
    assert tiles_of(got, 0) == tiles(2).tolist()
    assert got.owner_ts_ms.tolist() == [T0 + 500]
    assert got.counterpart_ts_ms.tolist() == [T0 + 500]


def test_reads_are_aligned_with_repeated_and_unknown_ids(settings: Settings) -> None:
    writer = OnlineWriter(settings)
    writer.write_counterpart_risk([CounterpartRow(f"al-{i}", T0 + i, tiles(i), i) for i in range(3)])
    writer.write_profiles([person(f"al-{i}", T0 + i, i, i, i, i) for i in range(3)])
    reader = ProfileReader(settings)
    got = reader.read(["al-2", "al-0", "al-2", "who"], ["al-1", "who", "al-1", "al-0"])
    assert got.owner[:, 0].tolist()[:3] == [2.0, 0.0, 2.0]
    assert np.isnan(got.owner[3]).all()
    assert got.owner_ts_ms.tolist() == [T0 + 2, T0, T0 + 2, 0]
    assert [tiles_of(got, i) for i in range(4)] == [tiles(1).tolist(), [], tiles(1).tolist(), tiles(0).tolist()]
    assert got.counterpart_ts_ms.tolist() == [T0 + 1, 0, T0 + 1, T0]
    empty = reader.read([], [])
    assert empty.tiles.shape == (0, 4)


def test_the_newest_row_wins_and_the_later_one_among_equals(settings: Settings) -> None:
    writer, reader = OnlineWriter(settings), ProfileReader(settings)

    def write(offset_ms: int, value: float) -> int:
        return writer.write_profiles([person("nw", T0 + offset_ms, value, 0.0, 0.0, 0.0)])

    def stored() -> float:
        return float(reader.read(["nw"], ["nw"]).owner[0, 0])

    assert write(1000, 1.0) == 1
    assert write(999, 2.0) == 0
    assert stored() == 1.0
    assert write(1000, 3.0) == 1
    assert stored() == 3.0
    assert write(1001, 4.0) == 1
    assert write(1000, 5.0) == 0
    assert stored() == 4.0
    rows = [person("nw", T0 + time, value, 0.0, 0.0, 0.0) for time, value in ((5000, 6.0), (4000, 7.0), (5000, 8.0), (4500, 9.0))]
    writer.write_profiles(rows)
    assert stored() == 8.0
    writer.write_profiles(rows)
    assert stored() == 8.0


def test_activity_is_the_latest_vector_or_none(settings: Settings) -> None:
    vector = np.arange(WIDTH, dtype=np.float32)
    OnlineWriter(settings).write_activity([Activity("act", T0, vector, SCHEMA, None, "x")])
    activity, missing = ProfileReader(settings).activity(["act", "nobody"])
    assert missing is None
    assert activity is not None
    assert activity.vector.tolist() == vector.tolist()
    assert (activity.schema, activity.score, activity.event_id, activity.event_time_ms) == (SCHEMA, None, "x", T0)


def test_redis_down_is_said_quickly(settings: Settings, tmp_path: Path) -> None:
    away = load(tmp_path)
    away.ports.redis = 1
    reader = ProfileReader(away)
    with pytest.raises(ProfilesUnavailable, match=r"127\.0\.0\.1:1 did not answer"):
        reader.read(["a"], ["b"])
    with pytest.raises(redis.RedisError):
        OnlineWriter(away).write_profiles([person("a", T0, 0.0, 0.0, 0.0, 0.0)])


def test_keys_carry_the_project_so_that_feast_may_delete_them(settings: Settings) -> None:
    OnlineWriter(settings).write_profiles([person("key", T0, 0.0, 0.0, 0.0, 0.0)])
    keys = redis.Redis(port=settings.ports.redis).keys("*")
    assert all(key.endswith(PROJECT.encode()) for key in keys if b"card_id" in key)


def test_a_join_on_empty_sources_keeps_every_event(settings: Settings, tmp_path: Path) -> None:
    fresh = load(tmp_path)
    fresh.ports.redis = settings.ports.redis
    apply(fresh)
    events = pd.DataFrame({"card_id": ["a", "b"], "terminal_id": ["t", "t"], "event_time_ms": [T0, T0 + 1]})
    got = point_in_time(fresh, events)
    assert np.isnan(got.owner).all()
    assert got.owner.shape == (2, PROFILE_WIDTH)
    assert not got.tiles.any()
    assert got.counterpart_ts_ms.tolist() == [0, 0]
    assert len(point_in_time(fresh, events.iloc[:0]).tiles) == 0


def test_point_in_time_equals_a_join_by_hand(settings: Settings) -> None:
    """Ties, repeated events, ids without rows, rows in several files and twice."""
    draw = np.random.default_rng(5)
    risk: list[CounterpartRow] = []
    for revision in range(150):
        # Outcome times repeat, and some fall on midnight: the higher revision counts.
        time = T0 + int(draw.integers(0, 40)) * DAY_MS // 4
        counterpart = f"t{draw.integers(0, 8)}"
        newest = max((row.event_time_ms for row in risk if row.counterpart == counterpart), default=0)
        risk.append(CounterpartRow(counterpart, max(time, newest), tiles(revision), revision))
    for part in range(3):
        write_counterpart_risk(settings, risk[part * 50 : part * 50 + 50], f"outcomes-0-{part}")
    write_counterpart_risk(settings, risk[40:60], "outcomes-0-again")
    profiles = [
        person(f"c{draw.integers(0, 8)}", T0 + day * DAY_MS, draw.random(), draw.random(), day, i)
        for i, day in enumerate(sorted(draw.integers(0, 10, 40).tolist()))
    ]
    profiles = list({(row.subject, row.event_time_ms): row for row in profiles}.values())
    write_profiles_offline(settings, profiles[:20], "profiles-1")
    write_profiles_offline(settings, profiles[20:], "profiles-2")
    events = pd.DataFrame(
        {
            "card_id": [f"c{i}" for i in draw.integers(0, 10, 400)],
            "terminal_id": [f"t{i}" for i in draw.integers(0, 10, 400)],
            "event_time_ms": T0 - DAY_MS + draw.integers(0, 96, 400) * DAY_MS // 8,
        },
        index=draw.permutation(400),
    )

    got = point_in_time(settings, events)

    columns = (events["card_id"], events["terminal_id"], events["event_time_ms"].astype(int))
    for i, (subject, place, time) in enumerate(zip(*columns, strict=True)):
        hour = time // HOUR_MS * HOUR_MS
        known = [row for row in risk if row.counterpart == place and row.event_time_ms <= hour]
        latest = max(known, key=lambda row: (row.event_time_ms, row.revision), default=None)
        assert tiles_of(got, i) == (latest.tiles.tolist() if latest else [])
        assert got.counterpart_ts_ms[i] == (latest.event_time_ms if latest else 0)
        homes = [row for row in profiles if row.subject == subject and row.event_time_ms <= time]
        home = max(homes, key=lambda row: row.event_time_ms, default=None)
        assert got.owner_ts_ms[i] == (home.event_time_ms if home else 0)
        if home is None:
            assert np.isnan(got.owner[i]).all()
        else:
            assert got.owner[i].tolist() == home.profile.tolist()
            assert got.usual[i].tolist() == home.usual.tolist()


def test_profiles_written_under_one_name_replace_each_other(settings: Settings, tmp_path: Path) -> None:
    fresh = load(tmp_path)
    fresh.ports.redis = settings.ports.redis
    apply(fresh)
    for value in (1.0, 2.0):
        write_profiles_offline(fresh, [person("a", T0, value, value, value, 1)], "day-1")
    assert len(list(owner_profile_folder(fresh).glob("*.parquet"))) == 1
    events = pd.DataFrame({"card_id": ["a"], "terminal_id": ["t"], "event_time_ms": [T0]})
    assert point_in_time(fresh, events).owner[0, :4].tolist() == [2.0, 2.0, 2.0, 1.0]


def test_a_read_of_more_keys_than_one_call_takes_is_whole(settings: Settings) -> None:
    count = 2_500
    OnlineWriter(settings).write_profiles([person(f"many-{i}", T0 + i, i) for i in range(0, count, 2)])
    OnlineWriter(settings).write_counterpart_risk([CounterpartRow(f"many-{i}", T0 + i, tiles(i), i) for i in range(0, count, 3)])
    ids = [f"many-{i}" for i in range(count)]
    got = ProfileReader(settings).read(ids, ids)
    assert got.owner_ts_ms.tolist() == [T0 + i if i % 2 == 0 else 0 for i in range(count)]
    assert got.owner[::2, 0].tolist() == list(range(0, count, 2))
    assert got.counterpart_ts_ms.tolist() == [T0 + i if i % 3 == 0 else 0 for i in range(count)]
    assert tiles_of(got, 2_499) == tiles(2_499).tolist()


def test_a_reader_does_not_notice_that_redis_closed_its_connection(settings: Settings) -> None:
    OnlineWriter(settings).write_profiles([person("back", T0, 1.0)])
    reader = ProfileReader(settings)
    assert reader.read(["back"], ["x"]).owner_ts_ms.tolist() == [T0]
    admin = redis.Redis(port=settings.ports.redis)
    admin.client_kill_filter(_type="normal", skipme=True)
    admin.script_flush()
    assert reader.read(["back"], ["x"]).owner_ts_ms.tolist() == [T0]
