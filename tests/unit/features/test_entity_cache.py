"""The bounded memory: what is used stays, what was used longest ago goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from features.entity_cache import EntityCache, Entry


def entry(value: str | None, time_ms: int = 1) -> Entry[str]:
    return Entry(value, time_ms, 0.0, 0)


def test_recall_gives_what_is_known_and_newest_wins() -> None:
    cache: EntityCache[str] = EntityCache(10)
    cache.keep({"a": entry("old"), "b": entry("b")})
    cache.keep({"a": entry("new"), "c": entry(None, 0)})
    assert cache.recall(["a", "c", "nobody"]) == {"a": entry("new"), "c": entry(None, 0)}


def test_what_was_used_longest_ago_goes_first() -> None:
    cache: EntityCache[str] = EntityCache(2)
    cache.keep({"a": entry("a"), "b": entry("b")})
    cache.recall(["a"])
    cache.keep({"c": entry("c")})
    assert set(cache.recall(["a", "b", "c"])) == {"a", "c"}


@given(st.integers(1, 5), st.lists(st.sets(st.sampled_from("abcdefgh"), max_size=8), max_size=30))
def test_it_never_holds_more_than_its_bound(most: int, batches: list[set[str]]) -> None:
    cache: EntityCache[str] = EntityCache(most)
    for batch in batches:
        cache.recall(batch)
        cache.keep({entity: entry(entity) for entity in batch})
        assert len(cache) <= most
        assert all(found.value == entity for entity, found in cache.recall(batch).items())
