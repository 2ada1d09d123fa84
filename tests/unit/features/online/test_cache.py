"""The bounded memory: what is used stays, what was used longest ago goes, and rows never mix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.online.cache import CounterpartRows, EntityRows, OwnerRows
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH, Profiles, unknown

NAMES = st.sampled_from("abcdefghij")


def profiles(owners: Sequence[int], sizes: Sequence[int]) -> Profiles:
    """Customers whose every value is the number, and terminals with as many tiles, whose every value is their number; 0: none."""
    number, size = np.array(owners, dtype=np.int64), np.array(sizes, dtype=np.int64)
    end = np.cumsum(size)
    return Profiles(
        np.where(number > 0, number, np.nan).astype(np.float32).reshape(-1, 1).repeat(PROFILE_WIDTH, 1),
        number.reshape(-1, 1).repeat(USUAL_WIDTH, 1),
        number,
        size.repeat(size).reshape(-1, 1).repeat(4, 1),
        end - size,
        end,
        size,
    )


def test_rows_are_fresh_for_a_while_near_their_event_time() -> None:
    rows = OwnerRows(10)
    slots = rows.slots(["a", "b"])
    assert rows.fresh(slots, 100.0, 5000, 1.0, 10).tolist() == [False, False]
    rows.put(slots[:1], profiles([7], []), 100.0, 5000)
    assert rows.fresh(slots, 100.9, 5010, 1.0, 10).tolist() == [True, False]
    assert rows.fresh(slots, 101.0, 5000, 1.0, 10).tolist() == [False, False]
    assert rows.fresh(slots, 100.0, 5011, 1.0, 10).tolist() == [False, False]
    assert rows.fresh(slots, 100.0, 4989, 1.0, 10).tolist() == [False, False]


def test_what_was_used_longest_ago_goes_first() -> None:
    rows = EntityRows(2)
    for batch in (["a"], ["b"], ["a"], ["c"]):
        rows.slots(batch)
        rows.trim()
    assert rows._slot.keys() == {"a", "c"}


def test_a_batch_keeps_all_its_rows_until_trim() -> None:
    rows = CounterpartRows(1)
    slots = rows.slots(["a", "b", "c"])
    rows.put(slots, profiles([0] * 3, [1, 2, 3]), 0.0, 0)
    assert rows.sizes[slots].tolist() == [1, 2, 3]
    rows.trim()
    assert len(rows) <= 1


@given(st.integers(1, 40), st.lists(st.dictionaries(NAMES, st.integers(0, 200)), max_size=30))
def test_it_stays_within_its_bound_and_remembers_rightly(most: int, batches: list[dict[str, int]]) -> None:
    owners, counterparts = OwnerRows(most), CounterpartRows(most)
    known: dict[str, int] = {}
    for batch in batches:
        names, numbers = list(batch), list(batch.values())
        known |= batch
        for_customers, for_terminals = owners.slots(names), counterparts.slots(names)
        owners.put(for_customers, profiles(numbers, []), 0.0, 0)
        counterparts.put(for_terminals, profiles([], numbers), 0.0, 0)
        owners.trim()
        counterparts.trim()
        assert max(owners.weight, counterparts.weight) <= most
        assert counterparts.weight == sum(1 + known[name] // 64 for name in counterparts._slot)
        for name, slot in owners._slot.items():
            expected = profiles([known[name]], [])
            assert np.array_equal(owners.owner[slot], expected.owner[0], equal_nan=True)
            assert (owners.usual[slot] == known[name]).all()
            assert owners.time_ms[slot] == known[name]
        for name, slot in counterparts._slot.items():
            assert counterparts.sizes[slot] == len(counterparts.tiles[slot]) == known[name]
            assert (counterparts.tiles[slot] == known[name]).all()


def test_a_slot_that_is_given_away_holds_nothing_of_its_former_entity() -> None:
    rows = OwnerRows(1)
    rows.put(rows.slots(["a"]), profiles([7], []), 0.0, 0)
    rows.slots(["b"])
    rows.trim()
    [slot] = rows.slots(["c"]).tolist()
    empty = unknown(1)
    assert np.array_equal(rows.owner[slot], empty.owner[0], equal_nan=True)
    assert (rows.usual[slot].any(), rows.time_ms[slot]) == (False, 0)
