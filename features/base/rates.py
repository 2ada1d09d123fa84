"""A table of rates: how much of the reference unit one of another unit is worth, from when on.

Rows are only added. A score is a function of its event and of this table, and the log is read again after a crash: a row that
changed or went away would make another history of it. For the same reason each row has the wall time from which it counts.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

import msgspec

HEADER = ("unit", "valid_from", "rate")
#: Digits of a rate, and the powers of ten that it may have.
_MOST_DIGITS, _MOST_POWER = 18, 18


class RatesError(ValueError):
    """A row cannot be taken; the message names the file, its line and the way out."""


class Rate(msgspec.Struct, frozen=True):
    """One row. ``valid_from_ms``: event time; ``rate``: decimal text, reference units for one ``unit``; ``known_ms``: it counts
    for events that the broker took from then on (wall time); ``by``: from the file of ``units.rates``, or
    ``driftloop rates add``."""

    unit: str
    valid_from_ms: int
    rate: str
    known_ms: int = 0
    by: Literal["file", "add"] = "file"

    @property
    def place(self) -> tuple[str, int]:
        """Return what no two rows share."""
        return self.unit, self.valid_from_ms

    def shown(self) -> str:
        """Return it as a row of a file."""
        return f"{self.unit},{moment(self.valid_from_ms)},{self.rate}"


def moment(time_ms: int) -> str:
    """Return epoch milliseconds as a row writes them: ``2026-01-31``, or ``2026-01-31T10:00:00Z``."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    if time_ms % 86_400_000 == 0:
        return f"{at:%Y-%m-%d}"
    return at.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds").replace("+00:00", "Z")


def parse(text: str, name: str, reference: str, units: Mapping[str, int], field: str = "unit") -> list[Rate]:
    """Read CSV with the columns unit, valid_from, rate; ``field``: another name that the first may have.

    ``name``: of the file, for messages; ``units``: those that there are. Raises RatesError.
    """
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    rows: dict[tuple[str, int], Rate] = {}
    header: list[str] | None = None
    for cells in lines:
        values = [cell.strip() for cell in cells]
        if not any(values) or values[0].startswith("#"):
            continue
        where = f"{name}, line {lines.line_num}"
        if header is None:
            header = ["unit" if cell == field else cell for cell in values]
            if sorted(header) != sorted(HEADER):
                raise RatesError(f"{where}: the columns are {', '.join(values)}; begin the file with {','.join(HEADER)}")
            continue
        if len(values) != len(header):
            raise RatesError(f"{where} has {len(values)} values; write {','.join(header)}")
        row = dict(zip(header, values, strict=True))
        rate = Rate(_unit(row["unit"], where, reference, units), _moment(row["valid_from"], where), _rate(row["rate"], where))
        before = rows.setdefault(rate.place, rate)
        if not alike(before, rate):
            raise RatesError(f"{where}: {rate.shown()} contradicts {before.shown()} above; keep one of them")
    if header is None:
        raise RatesError(f"{name} is empty; begin it with {','.join(HEADER)}")
    return list(rows.values())


def alike(rate: Rate, other: Rate) -> bool:
    """Tell whether two rows of one place say the same: 0.50 is 0.5."""
    return Decimal(rate.rate) == Decimal(other.rate)


def added(kept: Sequence[Rate], given: Iterable[Rate], known_ms: int, by: Literal["file", "add"]) -> list[Rate]:
    """Return the rows of ``given`` that ``kept`` has not, to count from ``known_ms`` on. Raises RatesError for a changed row."""
    by_place = {rate.place: rate for rate in kept}
    new = []
    for rate in given:
        before = by_place.get(rate.place)
        if before is None:
            new.append(Rate(rate.unit, rate.valid_from_ms, rate.rate, known_ms, by))
        elif not alike(before, rate):
            raise RatesError(
                f"the row {rate.shown()} was {before.shown()}, and scores were made by it; take that back, and correct it by a"
                " row with a later valid_from"
            )
    return new


def check_whole(kept: Iterable[Rate], given: Iterable[Rate]) -> None:
    """Raise RatesError where a row that came from the file is not in it any more."""
    places = {rate.place for rate in given}
    for rate in kept:
        if rate.by == "file" and rate.place not in places:
            raise RatesError(f"the row {rate.shown()} is gone, and scores were made by it; put it back: rows are only added")


def _unit(text: str, where: str, reference: str, units: Mapping[str, int]) -> str:
    if text == reference:
        raise RatesError(f"{where}: {text} is units.reference itself, whose rate is 1; leave the row out")
    if text not in units:
        raise RatesError(f"{where}: there is no unit {text!r}; write it as events do, as in {reference}")
    return text


def _moment(text: str, where: str) -> int:
    try:
        at = datetime.fromisoformat(text) if len(text) > 10 else datetime.combine(date.fromisoformat(text), datetime.min.time())
    except ValueError:
        raise RatesError(
            f"{where}: valid_from is {text!r}; write a date or a time in UTC, as in 2026-01-31 or 2026-01-31T10:00:00Z"
        ) from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return round(at.timestamp() * 1000)


def _rate(text: str, where: str) -> str:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value <= 0:
        raise RatesError(f"{where}: rate is {text!r}; write a number above zero with a decimal point, as in 0.0026")
    _, digits, exponent = value.as_tuple()
    if len(digits) > _MOST_DIGITS or not -_MOST_POWER <= int(exponent) <= _MOST_POWER:
        raise RatesError(f"{where}: rate is {text!r}; write {_MOST_DIGITS} digits at most")
    return text
