"""Amounts of a file as whole minor units."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.base.active import DOMAIN
from streams.replay.cells import Column, trues
from streams.replay.numbers import floats

MOST_MINOR = 1_000_000_000_00
#: How far from a whole minor unit a number may lie that was computed in floating point (0.1 + 0.2): a millionth.
_NOISE = 1e-6
_REFUND = (
    f"{DOMAIN.negative_hint}: in a column of the file, --map kind=COLUMN, with the amount without its sign; "
    "or leave these rows out"
)


def minor_units(column: Column, places: NDArray[np.int64], rounded: bool = False) -> NDArray[np.int64]:
    """Convert amounts in currency units to whole minor units [n]; ``places`` [n] are the decimals of each row's currency.

    An amount with more decimals is refused, unless it is to be ``rounded`` (half to even). A float stands for the amount in
    minor units that it is nearest to, where its own precision leaves no doubt. Raises ReplayError.
    """
    column.no_missing()
    kind = column.array.type
    scale = np.power(10.0, places.astype(np.float64))
    if pa.types.is_decimal(kind):
        minor = _of_decimals(column, places, rounded)
    elif pa.types.is_integer(kind):
        whole = column.array.cast(pa.float64(), safe=False)
        values = np.asarray(whole.to_numpy(zero_copy_only=False), dtype=np.float64)
        column.refuse(values < 0, lambda value: f"{value} is below 0; {_REFUND}")
        # Beyond the limit there is no need to be exact; below it a float64 is.
        minor = np.where(values * scale > MOST_MINOR, MOST_MINOR + 1, values * scale).astype(np.int64)
    elif pa.types.is_floating(kind) or pa.types.is_string(kind):
        minor = _of_floats(column, scale, places, rounded)
    else:
        raise column.wrong_type("an amount is a number in currency units")
    column.refuse(minor < 0, lambda value: f"{value} is below 0; {_REFUND}")
    column.refuse(minor > MOST_MINOR, lambda value: f"{value} is above a thousand million; leave such rows out")
    return minor


def unsigned(column: Column) -> Column:
    """Return the amounts without their sign."""
    if pa.types.is_string(column.array.type):
        return column.with_array(pc.replace_substring_regex(column.array, r"^(\s*)-", r"\1"))
    return column.with_array(pc.abs(column.array))


def negative(column: Column) -> NDArray[np.bool_]:
    """Tell which amounts are below 0 [n]."""
    return floats(column) < 0


def _of_decimals(column: Column, places: NDArray[np.int64], rounded: bool) -> NDArray[np.int64]:
    exact = [value.scaleb(int(p)) for value, p in zip(column.array.to_pylist(), places.tolist(), strict=True)]
    if not rounded:
        broken = np.array([value != value.to_integral_value() for value in exact], dtype=np.bool_)
        _refuse_places(column, broken, places)
    most = Decimal(MOST_MINOR + 1)
    whole = [int(max(min(value.to_integral_value(ROUND_HALF_EVEN), most), Decimal(-1))) for value in exact]
    return np.array(whole, dtype=np.int64)


def _of_floats(column: Column, scale: NDArray[np.float64], places: NDArray[np.int64], rounded: bool) -> NDArray[np.int64]:
    kind = column.array.type
    values = floats(column)
    if np.isnan(values).any():
        # A text that is blank is only now known to be missing.
        raise column.refusal(int(np.flatnonzero(np.isnan(values))[0]), "the value is missing; fill it, or leave such rows out")
    column.refuse(values < 0, lambda value: f"{value} is below 0; {_REFUND}")
    scaled = np.minimum(values * scale, float(MOST_MINOR + 1))
    minor = np.rint(scaled)
    if rounded:
        return minor.astype(np.int64)
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        own = values.astype(np.float32 if pa.types.is_float32(kind) else np.float16)
        with np.errstate(over="ignore", invalid="ignore"):
            step = np.nan_to_num(np.spacing(own).astype(np.float64), nan=np.inf) * scale
        column.refuse(
            (step >= 1.0) & (values > 0) & (minor <= MOST_MINOR),
            lambda value: f"{value} in {kind} is too coarse for its currency's decimals; write the column as float64 or decimal",
        )
        tolerance = np.maximum(_NOISE, 0.51 * step)
    else:
        tolerance = np.maximum(_NOISE, 2.0 * np.spacing(values) * scale)
    _refuse_places(column, (np.abs(scaled - minor) > tolerance) & (minor <= MOST_MINOR), places)
    return minor.astype(np.int64)


def _refuse_places(column: Column, broken: NDArray[np.bool_], places: NDArray[np.int64]) -> None:
    if broken.any():
        at = int(np.flatnonzero(broken)[0])
        raise column.refusal(
            at, f"{column.shown(at)} has more than the {int(places[at])} decimals of its currency; round the amounts first"
        )


def stripped(column: Column, characters: str, decimal: str) -> Column:
    """Return a text column without ``characters`` and with a point for ``decimal``; any other column as it is.

    Raises ReplayError where a decimal comma is said and a value has a point that can be no separator of thousands.
    """
    if not pa.types.is_string(column.array.type):
        return column
    array = column.array
    for character in characters:
        array = pc.replace_substring(array, character, "")
    if decimal != ".":
        grouped = trues(pc.match_substring_regex(array, r"^ *[+-]?\d{1,3}(\.\d{3})+(,\d*)? *$"))
        column.refuse(
            trues(pc.match_substring(array, ".")) & ~grouped,
            lambda value: f"{value} has a point that separates no thousands, and the decimal comma is said to be {decimal}",
        )
        array = pc.replace_substring(pc.replace_substring(array, ".", ""), decimal, ".")
    return column.with_array(array)
