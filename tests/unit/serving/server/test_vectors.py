from __future__ import annotations

import numpy as np
import pytest

from serving.server import vectors
from serving.server.errors import InvalidVectors, RequestError, TooLarge

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_the_three_ways_in_agree() -> None:
    for rows in (
        vectors.from_raw(ROWS.tobytes(), [2, 3], 3),
        vectors.from_flat(ROWS.ravel().tolist(), [2, 3], 3),
        vectors.from_flat(ROWS.tolist(), [2, 3], 3),
        vectors.from_rows(ROWS.tolist(), 3),
    ):
        np.testing.assert_array_equal(rows, ROWS)
        assert rows.dtype == np.float32


@pytest.mark.parametrize("shape", [[], [3], [2, 4], [0, 3], [-2, 3], [2, 3, 1], [3, 2]])
def test_another_shape_is_refused(shape: list[int]) -> None:
    with pytest.raises(InvalidVectors, match=r"it must be \[n, 3\]"):
        vectors.from_raw(ROWS.tobytes(), shape, 3)


def test_bytes_must_fill_the_shape() -> None:
    with pytest.raises(InvalidVectors, match=r"23 bytes.*takes 24"):
        vectors.from_raw(ROWS.tobytes()[:-1], [2, 3], 3)


def test_too_many_rows_are_refused_before_they_are_read() -> None:
    with pytest.raises(TooLarge, match="65,536"):
        vectors.from_raw(b"", [10**12, 3], 3)
    with pytest.raises(TooLarge, match="65,536"):
        vectors.from_rows([[0.0]] * (vectors.MAX_ROWS + 1), 1)


@pytest.mark.parametrize(
    "rows",
    [
        None,
        [],
        {},
        "abc",
        [1, 2, 3],
        [[1, 2]],
        [[1, 2, 3], [1, 2]],
        [[1, 2, "3"]],
        [[1, 2, None]],
        [[1, 2, True]],
        [[1, 2, [3]]],
        [[1, 2, {}]],
    ],
)
def test_what_is_no_list_of_vectors_is_refused(rows: object) -> None:
    with pytest.raises(InvalidVectors, match="instances"):
        vectors.from_rows(rows, 3)


@pytest.mark.parametrize("data", [None, "abc", [[1, 2, 3], [1, 2]], [1, 2, 3], ["1"] * 6, [10**400] * 6])
def test_what_are_no_numbers_is_refused(data: object) -> None:
    with pytest.raises(RequestError, match="features"):
        vectors.from_flat(data, [2, 3], 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(value: float) -> None:
    rows = ROWS.copy()
    rows[1, 2] = value
    with pytest.raises(InvalidVectors, match="row 1, feature 'speed'"):
        vectors.check_finite(rows, ["amount", "hour", "speed"])
