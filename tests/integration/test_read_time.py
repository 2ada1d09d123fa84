"""What Feast computes at read is what the scorer computes, to the last bit, online and in joins."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.base.durations import DAY_MS
from features.base.settings import Settings, load
from features.catalogue.vector import N_STREAM, NAMES, SERVICE, WIDTH
from features.domains.card_fraud.event import Payment
from features.feast_repo.store import apply
from features.offline.point_in_time import write_counterpart_risk, write_profiles_offline
from features.online.cached_reader import Reader
from features.online.store import CounterpartRow, OnlineWriter, ProfileReader
from features.transform.columns import from_events
from features.transform.fill import fill
from features.transform.profiles import CATEGORIES
from tests.profile_rows import profile_row, tiles

pytestmark = pytest.mark.integration

T0 = 17_600 * DAY_MS
COMPUTED = NAMES[N_STREAM:]


@pytest.fixture(scope="module")
def settings(platform: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load(tmp_path_factory.mktemp("read-time"))
    settings.ports.redis = platform.ports.redis
    profiles = [profile_row(f"rt-{i}", T0 + i, 10.0 + i, i) for i in range(4)]
    # A category and a terminal that some events use, so that no column is constant.
    category, counterpart = from_events([_event("rt-0", "rt-t0", T0, category="5411")]).category[0], "rt-t0"
    for row in profiles[:2]:
        row.usual[0] = category
        row.usual[CATEGORIES] = from_events([_event("rt-0", counterpart, T0)]).counterpart[0]
    counterparts = [CounterpartRow(f"rt-t{i}", T0 + i, tiles(T0, 40 * (i + 1), i), i + 1) for i in range(3)]
    writer = OnlineWriter(settings)
    writer.write_profiles(profiles)
    writer.write_counterpart_risk(counterparts)
    write_profiles_offline(settings, profiles, "profiles")
    write_counterpart_risk(settings, counterparts, "outcomes")
    return settings


def _event(subject: str, counterpart: str, time_ms: int, **rest: Any) -> Payment:
    return Payment(f"{subject}{counterpart}{time_ms}", time_ms, subject, counterpart, rest.pop("measure", 1250), **rest)


def _events() -> list[Payment]:
    """Most soon after the rows, some long after; known and unknown cards, terminals, places and categories."""
    draw = np.random.default_rng(11)
    events = []
    for i in range(200):
        place = {} if i % 5 == 0 else {"latitude": float(draw.uniform(-80, 80)), "longitude": float(draw.uniform(-180, 180))}
        event = _event(
            f"rt-{draw.integers(0, 5)}",
            f"rt-t{draw.integers(0, 4)}",
            T0 + 10 + int(120 * DAY_MS * draw.random() ** 4),
            measure=int(draw.integers(0, 99_999)),
            category=(None, "5411", "5999")[i % 3],
            **place,
        )
        events.append(event)
    return events


def _scored(settings: Settings, events: list[Payment]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The columns as the scorer fills them."""
    batch = from_events(events)
    vectors = np.zeros((len(events), WIDTH), dtype=np.float32)
    reader = Reader(ProfileReader(settings), settings.feast)
    read = reader.read([e.subject for e in events], [e.counterpart for e in events], batch.event_time_ms)
    fill(vectors, batch, read.profiles, settings.labels.delay_ms, settings.labels.step_hours)
    return vectors[:, N_STREAM:]


def _request(event: Payment) -> dict[str, object]:
    nan = float("nan")
    return {
        "card_id": event.subject,
        "terminal_id": event.counterpart,
        "event_time_ms": event.event_time_ms,
        "amount_minor": event.measure,
        "latitude": nan if event.latitude is None else event.latitude,
        "longitude": nan if event.longitude is None else event.longitude,
        "merchant_category": event.category or "",
    }


def _assert_same_bits(got: dict[str, Any], expected: np.ndarray[Any, np.dtype[np.float32]]) -> None:
    for i, name in enumerate(COMPUTED):
        column = np.array(got[name], dtype=np.float32)
        assert column.tobytes() == np.ascontiguousarray(expected[:, i]).tobytes(), name


def test_online_values_are_the_scorers(settings: Settings) -> None:
    store = apply(settings)
    events = _events()
    expected = _scored(settings, events)
    constant = [name for name, column in zip(COMPUTED, expected.T, strict=True) if len(np.unique(column)) == 1]
    assert not constant, "a column that never changes proves nothing"
    got = store.get_online_features(
        features=store.get_feature_service(SERVICE), entity_rows=[_request(event) for event in events]
    )
    _assert_same_bits(got.to_dict(), expected)


def test_one_transaction_with_nothing_known(settings: Settings) -> None:
    store = apply(settings)
    event = _event("rt-nobody", "rt-nowhere", T0)
    got = store.get_online_features(features=store.get_feature_service(SERVICE), entity_rows=[_request(event)])
    _assert_same_bits(got.to_dict(), _scored(settings, [event]))


def test_joins_give_the_same_values(settings: Settings) -> None:
    """Each terminal and card has one row, older than the events: then as of the event is as of now."""
    store = apply(settings)
    events = _events()
    frame = pd.DataFrame([_request(event) for event in events])
    frame["event_timestamp"] = pd.to_datetime(frame["event_time_ms"], unit="ms", utc=True)
    frame["row"] = np.arange(len(frame))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
        joined = store.get_historical_features(entity_df=frame, features=[f"read_time:{name}" for name in COMPUTED]).to_df()
    joined = joined.sort_values("row", ignore_index=True)
    assert len(joined) == len(events)
    _assert_same_bits(joined, _scored(settings, events))


def test_another_delay_is_another_view(settings: Settings) -> None:
    store = apply(settings)
    before = store.get_on_demand_feature_view("read_time")
    changed = settings.model_copy(deep=True)
    changed.labels.delay_days = 3.0
    after = apply(changed).get_on_demand_feature_view("read_time")
    assert before != after
    event = _event("rt-1", "rt-t1", T0 + DAY_MS)
    request = [_request(event)]
    got = store.get_online_features(features=[f"read_time:{name}" for name in COMPUTED], entity_rows=request).to_dict()
    _assert_same_bits(got, _scored(changed, [event]))
    apply(settings)
