"""Duplicates, conflicts and lateness, against a plain dictionary that looks at one event after the other."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.admission import CONFLICT, DUPLICATE, NEW, Admission
from streams.event_clock import CARDS, NEVER

HORIZON, LATENESS = 40, 15
Event = tuple[int, int, int, int]
"""id, body, card, time"""
EVENTS = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 1), st.integers(0, 12), st.integers(0, 120)), min_size=1, max_size=150
)


def expected(events: list[Event]) -> list[tuple[int, bool]]:
    newest: dict[int, int] = {}
    seen: dict[int, tuple[int, int]] = {}

    def now() -> int:
        return min(sorted(newest.values(), reverse=True)[:CARDS], default=NEVER)

    out = []
    for key, body, card, time in events:
        before = now()
        if key in seen and seen[key][1] > before - HORIZON:
            out.append((DUPLICATE if seen[key][0] == body else CONFLICT, False))
            continue
        newest[card] = max(time, newest.get(card, time))
        seen[key] = (body, max(now(), before))
        out.append((NEW, time < before - LATENESS))
    return out


def judged(admission: Admission, events: list[Event]) -> list[tuple[int, bool]]:
    ids, bodies, cards, times = (np.array(column, dtype=np.int64) for column in zip(*events, strict=True))
    found = admission.admit(ids, bodies, cards, times)
    return list(zip(found.verdict.tolist(), found.late.tolist(), strict=True))


@settings(deadline=None)
@given(EVENTS, st.data())
def test_it_says_what_a_dictionary_says_whatever_the_batches_and_restarts(events: list[Event], data: st.DataObject) -> None:
    admission, found = Admission(HORIZON, LATENESS), []
    rest = events
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        found += judged(admission, rest[:size])
        rest = rest[size:]
        if data.draw(st.booleans()):
            arrays = admission.arrays()
            admission = Admission(HORIZON, LATENESS)
            admission.load(arrays)
    assert found == expected(events)


def test_it_grows_with_what_may_be_repeated_and_not_with_what_has_passed() -> None:
    admission = Admission(1000, 1000)
    sizes = []
    for batch in range(50):
        events = [(batch * 1000 + i + 1, 0, i % 100, batch * 500) for i in range(1000)]
        assert judged(admission, events) == [(NEW, False)] * 1000
        sizes.append(admission.nbytes)
    assert max(sizes) == sizes[10] == sizes[-1] <= 24 * 16_384


def test_a_horizon_of_zero_lets_everything_pass() -> None:
    assert judged(Admission(0, 1000), [(1, 0, 1, 5), (1, 0, 1, 5)]) == [(NEW, False)] * 2


def test_an_id_whose_hash_is_zero_is_like_any_other() -> None:
    assert judged(Admission(HORIZON, LATENESS), [(0, 7, 1, 5), (0, 7, 1, 5), (0, 8, 1, 5)]) == [
        (NEW, False),
        (DUPLICATE, False),
        (CONFLICT, False),
    ]


def test_the_clock_is_none_before_any_event() -> None:
    admission = Admission(HORIZON, LATENESS)
    assert admission.time_ms is None
    judged(admission, [(1, 0, 1, 5)])
    assert admission.time_ms == 5
