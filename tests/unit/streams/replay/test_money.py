from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.replay.cells import Column
from streams.replay.errors import ReplayError
from streams.replay.money import minor_units, stripped
from streams.replay.rows import exponent


def minor(array: pa.Array, places: int = 2, rounded: bool = False) -> list[int]:
    column = Column.of(array, "A")
    return list(minor_units(column, np.full(len(array), places), rounded).tolist())


@given(st.lists(st.integers(0, 10**11), max_size=20))
def test_every_float_amount_comes_back_to_its_cents(cents: list[int]) -> None:
    assert minor(pa.array([c / 100 for c in cents], pa.float64())) == cents


@given(st.lists(st.integers(0, 10**11), max_size=20))
def test_so_does_every_amount_that_is_printed(cents: list[int]) -> None:
    assert minor(pa.array([f"{c / 100:.2f}" for c in cents], pa.string())) == cents
    assert minor(pa.array([repr(c / 100) for c in cents], pa.string())) == cents


@given(st.lists(st.integers(0, 10**11), max_size=20))
def test_decimals_are_exact(cents: list[int]) -> None:
    assert minor(pa.array([Decimal(c) / 100 for c in cents], pa.decimal128(14, 2))) == cents


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_a_float32_is_the_amount_that_prints_as_it(cents: list[int]) -> None:
    assert minor(pa.array([c / 100 for c in cents], pa.float32())) == cents


@given(st.integers(0, 10**8), st.integers(1, 9))
def test_a_third_place_is_refused_in_every_type(cents: int, mill: int) -> None:
    exact = Decimal(cents * 10 + mill) / 1000
    for array in (pa.array([float(exact)]), pa.array([exact], pa.decimal128(14, 3)), pa.array([str(exact)])):
        with pytest.raises(ReplayError, match=r"column A, row 1: .* has more than the 2 decimals of its currency"):
            minor(array)
        assert abs(minor(array, rounded=True)[0] - exact * 100) <= Decimal("0.5")


def test_amounts_by_type_and_currency() -> None:
    assert minor(pa.array([57.16, 0.29, 1.15])) == [5716, 29, 115]
    assert minor(pa.array([0.1 + 0.2, 3 * 1.1])) == [30, 330]
    assert minor(pa.array([3, 4])) == [300, 400]
    assert minor(pa.array([1200.0]), exponent("JPY")) == [1200]
    assert minor(pa.array([1.234]), exponent("KWD")) == [1234]
    assert minor(pa.array([" 12.30 ", "+5", "1e2", ".5"])) == [1230, 500, 10_000, 50]
    assert exponent("EUR") == 2


def test_signs_and_decimal_commas_are_taken_out_where_they_are_named() -> None:
    column = Column.of(pa.array(["$1234.50"]), "A")
    assert minor(stripped(column, "$", ".").array) == [123_450]
    column = Column.of(pa.array(["1.234,50", "-2", "1234,5", "1.234"]), "A")
    assert stripped(column, "", ",").array.to_pylist() == ["1234.50", "-2", "1234.5", "1234"]
    with pytest.raises(ReplayError, match=r"row 2: '12.50' has a point that separates no thousands"):
        stripped(Column.of(pa.array(["12,50", "12.50"]), "A"), "", ",")


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([1.0, None]), "the value is missing"),
        (pa.array([-0.01]), "below 0.*refunds"),
        (pa.array([-1]), "below 0.*refunds"),
        (pa.array([Decimal("-12.00")]), "below 0.*refunds"),
        (pa.array(["-12.00"]), "below 0.*refunds"),
        (pa.array([1e12]), "a thousand million"),
        (pa.array([10**17]), "a thousand million"),
        (pa.array([Decimal(10) ** 30], pa.decimal128(38, 0)), "a thousand million"),
        (pa.array([float("nan")]), "missing"),
        (pa.array([float("inf")]), "not finite"),
        (pa.array([Decimal("0.005")]), "more than the 2 decimals"),
        (pa.array([0.285]), "more than the 2 decimals"),
        (pa.array([1.005]), "more than the 2 decimals"),
        (pa.array([np.float32(1.005)]), "more than the 2 decimals"),
        (pa.array([np.float32(200_000.25)]), "too coarse"),
        (pa.array(["12,50"]), "--decimal ,"),
        (pa.array(["1,234.50"]), "no number"),
        (pa.array(["$5"]), "no number"),
        (pa.array(["NaN"]), "no number"),
        (pa.array(["1_000"]), "no number"),
        (pa.array([" "]), "missing"),
    ],
)
def test_amounts_that_cannot_be(column: pa.Array, reason: str) -> None:
    with pytest.raises(ReplayError, match=rf"column A, row .*{reason}"):
        minor(column)
