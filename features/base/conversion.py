"""Measures in units of their own, counted in the reference unit: exact, and as of each event.

A rate counts for an event from its ``valid_from`` on, if it was known when the broker took the event. So what an event counts is
a function of its record and of the table of rates, whatever is added to the table later. The product is rounded once, half to
even, in integers: no float takes part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from features.base.rates import Rate, moment

#: The largest measure that an event may have (``features.base.types.Measure``), and so a converted one.
MOST = 1_000_000_000_00
_INT64 = 1 << 62


class UnknownUnit(ValueError):
    """An event names a unit that its domain does not have."""


class RateMissing(ValueError):
    """There is no rate for an event's unit at its time."""


class MeasureTooLarge(ValueError):
    """A measure is too large in the reference unit."""


@dataclass(frozen=True)
class Converted:
    """``measure`` int64 [n], in parts of the reference unit; 0 where it is not known, and ``reasons`` says by row why."""

    measure: NDArray[np.int64]
    reasons: dict[int, ValueError] = field(default_factory=dict)


@dataclass(frozen=True)
class _Unit:
    """Rates of one unit by ``valid_from``; ``factors``: parts of the reference unit for one smallest part of this."""

    valid_from: NDArray[np.int64]
    known: NDArray[np.int64]
    factors: list[Fraction]


class Converter:
    """Convert measures into ``reference``, of which each counts as ``parts``. ``places``: decimal places by unit; ``field``: what
    names the unit of an event, ``event``: what an event is called, for messages."""

    def __init__(
        self, reference: str, places: Mapping[str, int], parts: int, rates: Iterable[Rate], field: str, event: str = "event"
    ) -> None:
        self.reference = reference
        self._places, self._parts, self._field, self._event = places, parts, field, event
        self._own = Fraction(parts, 10 ** places[reference])
        self._units: dict[str, _Unit] = {}
        by_unit: dict[str, list[Rate]] = {}
        for rate in rates:
            by_unit.setdefault(rate.unit, []).append(rate)
        for unit, rows in by_unit.items():
            rows.sort(key=lambda rate: rate.valid_from_ms)
            smallest = Fraction(parts, 10 ** places[unit])
            self._units[unit] = _Unit(
                np.array([rate.valid_from_ms for rate in rows], dtype=np.int64),
                np.array([rate.known_ms for rate in rows], dtype=np.int64),
                [Fraction(Decimal(rate.rate)) * smallest for rate in rows],
            )

    def convert(
        self, units: Sequence[str], measure: NDArray[np.int64], time_ms: NDArray[np.int64], appended_ms: NDArray[np.int64]
    ) -> Converted:
        """Convert n measures. ``time_ms``: of the events; ``appended_ms``: when the broker took each, 0 where not known: then
        every rate counts."""
        if self._own == 1 and units.count(self.reference) == len(units):
            return Converted(measure)
        converted = np.zeros(len(units), dtype=np.int64)
        reasons: dict[int, ValueError] = {}
        rows_of: dict[str, list[int]] = {}
        for i, unit in enumerate(units):
            rows_of.setdefault(unit, []).append(i)
        for unit, listed in rows_of.items():
            rows = np.array(listed, dtype=np.int64)
            if unit == self.reference:
                converted[rows] = scaled(measure[rows], self._own)
            elif unit not in self._places:
                reasons |= dict.fromkeys(listed, self._unknown(unit))
            else:
                self._foreign(unit, rows, measure, time_ms, appended_ms, converted, reasons)
        for i in np.flatnonzero(converted > MOST).tolist():
            reasons[i] = self._too_large(units[i], int(measure[i]))
            converted[i] = 0
        return Converted(converted, reasons)

    def _foreign(
        self,
        unit: str,
        rows: NDArray[np.int64],
        measure: NDArray[np.int64],
        time_ms: NDArray[np.int64],
        appended_ms: NDArray[np.int64],
        converted: NDArray[np.int64],
        reasons: dict[int, ValueError],
    ) -> None:
        """Convert the ``rows`` of one unit that is not the reference, into ``converted`` and ``reasons``."""
        of = self._units.get(unit)
        if of is None:
            reasons |= {i: self._missing(unit, int(time_ms[i])) for i in rows.tolist()}
            return
        time, appended = time_ms[rows], appended_ms[rows]
        newest = np.searchsorted(of.valid_from, time, side="right") - 1
        at = newest.copy()
        while (early := (at >= 0) & (appended > 0) & (of.known[at] > appended)).any():
            at[early] -= 1
        for place in np.unique(at).tolist():
            mine = rows[at == place]
            if place >= 0:
                converted[mine] = scaled(measure[mine], of.factors[place])
            else:
                coming = newest[at == place]
                reasons |= {
                    i: self._missing(unit, int(time_ms[i]), int(of.known[: last + 1].min()) if last >= 0 else None)
                    for i, last in zip(mine.tolist(), coming.tolist(), strict=True)
                }

    def _unknown(self, unit: str) -> UnknownUnit:
        return UnknownUnit(
            f"{self._field} is {unit!r}, which is none; write a unit that there is, as in {self.reference} (docs/money.md)"
        )

    def _missing(self, unit: str, time_ms: int, known_ms: int | None = None) -> RateMissing:
        when = f"{moment(time_ms // 1000 * 1000)} (UTC)"
        if known_ms is not None:
            return RateMissing(
                f"{self._field} is {unit}, and the rate for it at {when} counts for what the broker takes from"
                f" {moment(known_ms // 1000 * 1000 + 1000)} on only; send the {self._event} again: driftloop dlq replay"
            )
        row = f"{unit},{moment(time_ms // 86_400_000 * 86_400_000)},RATE"
        text = (
            f"{self._field} is {unit}, and there is no rate for it at {when}; put a row {row} ({self.reference} for one {unit})"
            " into a file under unit,valid_from,rate, then driftloop rates add FILE and driftloop dlq replay"
        )
        if not self._units:
            text += f'; or, where all are in {unit}, start a new folder with [units] reference = "{unit}" (units.reference)'
        return RateMissing(text)

    def _too_large(self, unit: str, measure: int) -> MeasureTooLarge:
        return MeasureTooLarge(
            f"{measure} in the smallest part of {unit} is more than {MOST // self._parts:,} {self.reference}, the most that is"
            f" counted; correct the {self._event}, or the rate"
        )


def scaled(measure: NDArray[np.int64], factor: Fraction) -> NDArray[np.int64]:
    """Multiply non-negative integers [n] by a positive fraction, rounded half to even. What is above MOST comes as some number
    above it."""
    top, bottom = factor.numerator, factor.denominator
    if not len(measure):
        return measure.copy()
    if bottom < _INT64 and top < _INT64 and int(measure.max()) * top < _INT64:
        whole, rest = np.divmod(measure * top, bottom)
        twice = 2 * rest
        return np.asarray(whole + ((twice > bottom) | ((twice == bottom) & (whole % 2 == 1))), dtype=np.int64)
    # round() of a Fraction is half to even.
    return np.array([min(round(value * factor), MOST + 1) for value in measure.tolist()], dtype=np.int64)
