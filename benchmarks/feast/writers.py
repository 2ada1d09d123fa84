"""Three ways to write n terminals and n customers: ours, Feast's SDK, and redis-py without looking at what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks.feast.readers import VIEWS, connect
from features.base.settings import Settings
from features.online import feast_encoding as encoding
from features.online.store import CounterpartRow, OnlineWriter, ProfileRow

if TYPE_CHECKING:
    from feast import FeatureStore

#: Gets the rows' places and an event time newer than all before; gives back what is called, and timed.
Prepare = Callable[[Sequence[int], int], Callable[[], object]]


def ours(settings: Settings, counterparts: Sequence[CounterpartRow], owners: Sequence[ProfileRow]) -> Prepare:
    """The platform's writer: newest wins, decided inside Redis."""
    writer = OnlineWriter(settings)

    def prepare(places: Sequence[int], time_ms: int) -> Callable[[], object]:
        risk = [replace(counterparts[i], event_time_ms=time_ms) for i in places]
        profiles = [replace(owners[i], event_time_ms=time_ms) for i in places]

        def write() -> None:
            written = writer.write_counterpart_risk(risk) + writer.write_profiles(profiles)
            if written != 2 * len(places):
                raise RuntimeError(f"{written} of {2 * len(places)} rows were written")

        return write

    return prepare


def by_feast(store: FeatureStore, counterparts: Sequence[CounterpartRow], owners: Sequence[ProfileRow]) -> Prepare:
    """``write_to_online_store`` of a frame for each view, which is also what ``push`` does with its frame."""
    ids = {"terminal_risk": [row.counterpart for row in counterparts], "customer_profile": [row.subject for row in owners]}
    columns = {view: _values(store, view, ids[view]) for view in VIEWS}

    def prepare(places: Sequence[int], time_ms: int) -> Callable[[], object]:
        time = datetime.fromtimestamp(time_ms / 1000, UTC)
        frames = {
            view: pd.DataFrame({name: [values[i] for i in places] for name, values in columns[view].items()}).assign(
                event_timestamp=time, created=time
            )
            for view in VIEWS
        }

        def write() -> None:
            for view, frame in frames.items():
                store.write_to_online_store(view, frame)

        return write

    return prepare


def _values(store: FeatureStore, view: str, ids: Sequence[str]) -> dict[str, list[Any]]:
    """All columns of a view for the given ids, as Feast itself reads them back."""
    names = [field.name for field in store.get_feature_view(view).features]
    columns: dict[str, list[Any]] = {VIEWS[view]: [], **{name: [] for name in names}}
    for at in range(0, len(ids), 1000):
        part = [{VIEWS[view]: entity} for entity in ids[at : at + 1000]]
        read = store.get_online_features(features=[f"{view}:{name}" for name in names], entity_rows=part).to_dict()
        for name in columns:
            columns[name] += read[name]
    return columns


def plain(settings: Settings, counterparts: Sequence[CounterpartRow], owners: Sequence[ProfileRow]) -> Prepare:
    """One pipeline of HSET a view, with the bytes that are there, whatever time they are of."""
    client = connect(settings)
    keys = {
        "terminal_risk": [encoding.redis_key(encoding.key_prefix("terminal_id"), row.counterpart) for row in counterparts],
        "customer_profile": [encoding.redis_key(encoding.key_prefix("card_id"), row.subject) for row in owners],
    }

    def prepare(places: Sequence[int], time_ms: int) -> Callable[[], object]:
        views: list[list[tuple[bytes, Mapping[Any, Any]]]] = []
        for view, of in keys.items():
            time = {encoding.timestamp_field(view): encoding.timestamp(time_ms)}
            views.append([(of[i], {**client.hgetall(of[i]), **time}) for i in places])

        def write() -> None:
            for rows in views:
                with client.pipeline(transaction=False) as pipe:
                    for key, mapping in rows:
                        pipe.hset(key, mapping=mapping)
                    pipe.execute()

        return write

    return prepare
