"""Replies decoded in one pass give what was encoded, whatever is missing or broken around it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from features.online import feast_encoding as encoding
from features.online.decode_reply import decode
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH

WHOLE = st.integers(-(2**63), 2**63 - 1)
TIME = st.integers(1, 4_102_444_800_000)
PROFILE = st.lists(st.floats(width=32, allow_nan=False), min_size=PROFILE_WIDTH, max_size=PROFILE_WIDTH)
USUAL = st.lists(WHOLE, min_size=USUAL_WIDTH, max_size=USUAL_WIDTH)
TILES = st.lists(st.lists(WHOLE, min_size=4, max_size=4), max_size=30)


@how(deadline=None)
@given(
    st.lists(st.none() | st.tuples(TIME, PROFILE, st.none() | USUAL), max_size=4),
    st.lists(st.none() | st.tuples(TIME, TILES), max_size=4),
)
def test_what_was_written_is_read(
    subjects: list[tuple[int, list[float], list[int] | None] | None], counterparts: list[tuple[int, list[list[int]]] | None]
) -> None:
    values: list[bytes | None] = []
    for subject in subjects:
        if subject is None:
            values += [None, None, None]
        else:
            usual = None if subject[2] is None else encoding.integers(np.array(subject[2], dtype=np.int64))
            values += [encoding.timestamp(subject[0]), encoding.floats(np.array(subject[1], dtype=np.float32)), usual]
    for counterpart in counterparts:
        if counterpart is None:
            values += [None, b""]
        else:
            values += [
                encoding.timestamp(counterpart[0]),
                encoding.integers(np.array(counterpart[1], dtype=np.int64).reshape(-1)),
            ]

    got = decode(values, len(subjects))

    for i, subject in enumerate(subjects):
        assert got.owner_ts_ms[i] == (subject[0] if subject else 0)
        assert got.usual[i].tolist() == ((subject and subject[2]) or [0] * USUAL_WIDTH)
        if subject:
            np.testing.assert_array_equal(got.owner[i], np.array(subject[1], dtype=np.float32))
        else:
            assert np.isnan(got.owner[i]).all()
    for i, counterpart in enumerate(counterparts):
        tiles = counterpart[1] if counterpart else []
        assert got.tiles[got.begin[i] : got.end[i]].tolist() == tiles
        assert got.counterpart_ts_ms[i] == (counterpart[0] if counterpart and tiles else 0)


def test_lists_of_another_length_are_unknown_and_harm_nobody() -> None:
    time = encoding.timestamp(1_767_600_000_123)
    profile = np.arange(PROFILE_WIDTH, dtype=np.float32)
    usual = np.arange(USUAL_WIDTH, dtype=np.int64)
    values = [
        *(time, encoding.floats(profile[1:]), encoding.integers(usual)),
        *(time, encoding.floats(profile), encoding.integers(usual[1:])),
        *(time, encoding.floats(profile), encoding.integers(np.append(usual, 1))),
        *(time, encoding.floats(profile), encoding.integers(usual)),
        *(time, encoding.integers(np.arange(6))),
        *(time, encoding.integers(np.arange(3))),
        *(time, encoding.integers(np.arange(8))),
    ]
    got = decode(values, 4)
    assert got.owner_ts_ms.tolist() == [0, 1_767_600_000_123, 1_767_600_000_123, 1_767_600_000_123]
    assert np.isnan(got.owner[0]).all()
    assert got.usual.any(axis=1).tolist() == [False, False, False, True]
    assert [got.tiles[b:e].tolist() for b, e in zip(got.begin, got.end, strict=True)] == [
        [[0, 1, 2, 3]],
        [],
        [[0, 1, 2, 3], [4, 5, 6, 7]],
    ]
    assert (got.counterpart_ts_ms > 0).tolist() == [True, False, True]
