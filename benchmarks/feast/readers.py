"""Three ways to read terminal and customer of n transactions: ours, Feast's SDK, and redis-py without any decoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import redis

from features.base.settings import Settings
from features.online import feast_encoding as encoding
from features.online.store import ProfileReader
from features.transform.profiles import Profiles

if TYPE_CHECKING:
    from feast import FeatureStore

#: The views that the scorer reads, and the id that each goes by.
VIEWS = {"terminal_risk": "terminal_id", "customer_profile": "card_id"}
#: Reads terminals and cards of as many transactions.
Read = Callable[[Sequence[str], Sequence[str]], object]


def features_of(store: FeatureStore, view: str) -> list[str]:
    """The features of a view that the scorer reads: its arrays."""
    return [field.name for field in store.get_feature_view(view).features if "Array" in str(field.dtype)]


def check(mine: Profiles, theirs: dict[str, list[Any]]) -> None:
    """Raises ValueError where Feast read another value than ours for one of the transactions."""
    for i in range(len(mine.owner)):
        tiles = mine.tiles[mine.begin[i] : mine.end[i]].reshape(-1).tolist()
        for name, value in (("tiles", tiles), ("profile", mine.owner[i].tolist()), ("usual", mine.usual[i].tolist())):
            if theirs[name][i] != value:
                raise ValueError(f"Feast and this reader differ in {name}; they do not read the same")


def ours(settings: Settings) -> Callable[[Sequence[str], Sequence[str]], Profiles]:
    """The scorer's reader: arrays out, repeated ids once."""
    reader = ProfileReader(settings)
    return lambda counterparts, subjects: reader.read(subjects, counterparts)


def by_feast(store: FeatureStore) -> Callable[[Sequence[str], Sequence[str]], dict[str, list[Any]]]:
    """``get_online_features`` in process, values as Python lists (``to_dict``)."""
    names = [f"{view}:{feature}" for view in VIEWS for feature in features_of(store, view)]

    def read(counterparts: Sequence[str], subjects: Sequence[str]) -> dict[str, list[Any]]:
        rows = [{"terminal_id": t, "card_id": c} for t, c in zip(counterparts, subjects, strict=True)]
        columns: dict[str, list[Any]] = store.get_online_features(features=names, entity_rows=rows).to_dict()
        return columns

    return read


def plain(store: FeatureStore, settings: Settings) -> Callable[[Sequence[str], Sequence[str]], list[list[bytes | None]]]:
    """One pipeline of HMGET for the same keys and fields: the bytes, as they are. With hiredis where that is installed."""
    client = connect(settings)
    fields = {view: fields_of(store, view) for view in VIEWS}
    prefix = {view: encoding.key_prefix(key) for view, key in VIEWS.items()}

    def read(counterparts: Sequence[str], subjects: Sequence[str]) -> list[list[bytes | None]]:
        with client.pipeline(transaction=False) as pipe:
            for view, ids in zip(VIEWS, (counterparts, subjects), strict=True):
                for entity in ids:
                    pipe.hmget(encoding.redis_key(prefix[view], entity), fields[view])
            replies: list[list[bytes | None]] = pipe.execute()
        return replies

    return read


def stored_bytes(
    settings: Settings, store: FeatureStore, counterparts: Sequence[str], subjects: Sequence[str]
) -> tuple[float, float]:
    """Bytes of a terminal's and of a customer's values in Redis, in the mean over those given."""
    read = plain(store, settings)
    sizes = [
        sum(len(value or b"") for row in replies for value in row) for replies in (read(counterparts, []), read([], subjects))
    ]
    return round(sizes[0] / len(counterparts), 1), round(sizes[1] / len(subjects), 1)


def fields_of(store: FeatureStore, view: str) -> list[bytes]:
    """The hash fields of a view as the scorer reads it: event time, then arrays."""
    return [encoding.timestamp_field(view), *(encoding.feature_field(view, name) for name in features_of(store, view))]


def connect(settings: Settings) -> redis.Redis:
    """A client as redis-py makes it by default."""
    host, port = settings.redis_address.rsplit(":", 1)
    return redis.Redis(host=host, port=int(port))
