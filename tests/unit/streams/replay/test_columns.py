from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.base.active import ROLES
from streams.replay.columns import answers, choices, ids, times
from streams.replay.errors import ReplayError
from streams.replay.rows import exponent, minor_units


@given(st.lists(st.integers(0, 10**10), max_size=20))
def test_every_float_amount_comes_back_to_its_cents(cents: list[int]) -> None:
    floats = pa.array([c / 100 for c in cents], pa.float64())
    assert minor_units(floats, "A", 2).tolist() == cents


@given(st.lists(st.integers(0, 10**10), max_size=20))
def test_decimals_are_exact(cents: list[int]) -> None:
    exact = pa.array([Decimal(c) / 100 for c in cents], pa.decimal128(14, 2))
    assert minor_units(exact, "A", 2).tolist() == cents


def test_amounts_by_type_and_currency() -> None:
    assert minor_units(pa.array([57.16, 0.29, 1.15]), "A", 2).tolist() == [5716, 29, 115]
    assert minor_units(pa.array([3, 4]), "A", 2).tolist() == [300, 400]
    assert minor_units(pa.array([1200.0]), "A", exponent("JPY")).tolist() == [1200]
    assert minor_units(pa.array([1.234]), "A", exponent("KWD")).tolist() == [1234]
    assert exponent("EUR") == 2


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([1.0, None]), "1 missing values"),
        (pa.array([-0.01]), "below 0; no amount is negative.* kind refund.*--map kind=COLUMN"),
        (pa.array([-5]), "below 0"),
        (pa.array([Decimal("-12.50")]), "below 0"),
        (pa.array([Decimal("-1000000000000")]), "below 0"),
        (pa.array([1e12]), "a thousand million"),
        (pa.array([float("nan")]), "not finite"),
        (pa.array(["12.00"]), "must be a number"),
        (pa.array([Decimal("0.005")]), "more than 2 decimals"),
        (pa.array([10**17]), "above a thousand million"),
    ],
)
def test_amounts_that_cannot_be(column: pa.Array, reason: str) -> None:
    with pytest.raises(ReplayError, match=f"column A .*{reason}"):
        minor_units(column, "A", 2)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("tz", [None, "UTC", "Europe/Brussels"])
def test_times_of_every_unit(unit: str, tz: str | None) -> None:
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    column = pa.array([1_522_540_831 * scale], pa.timestamp(unit, tz=tz))
    assert times(column, "T").tolist() == [1_522_540_831_000]


def test_times_that_cannot_be() -> None:
    assert times(pa.array([1_522_540_831_000]), "T").tolist() == [1_522_540_831_000]
    with pytest.raises(ReplayError, match="column T holds 1522540831 ms"):
        times(pa.array([1_522_540_831]), "T")
    with pytest.raises(ReplayError, match="column T is of type string"):
        times(pa.array(["2018-04-01"]), "T")


def test_text_codes_and_flags() -> None:
    assert ids(pa.array([7, 12]), "I").tolist() == ["7", "12"]
    assert choices(pa.array(["chip", None, "online"]), "E", "entry_mode", ROLES.modes).tolist() == [0, -1, 4]
    assert answers(pa.array([True, None, False]), "P").tolist() == [1, -1, 0]
    with pytest.raises(ReplayError, match="column E holds 'wave'"):
        choices(pa.array(["wave"]), "E", "entry_mode", ROLES.modes)
    with pytest.raises(ReplayError, match="column I has ids that are empty"):
        ids(pa.array([""]), "I")
