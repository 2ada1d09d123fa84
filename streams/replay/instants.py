"""Event times of a file, whatever type the column has."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.base.durations import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from streams.replay.cells import Column, trues
from streams.replay.numbers import floats, trimmed, wholes

#: Bounds of features.base.types.EventTime.
EARLIEST, LATEST = 946_684_800_000, 4_102_444_800_000
#: ms in the units in which a file may count time; what is finer than a millisecond divides.
UNITS = {"ms": 1, "s": SECOND_MS, "min": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
FINE_UNITS = {"us": 1_000, "ns": 1_000_000}
_CLOCK = r"[ T]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?"
_NAIVE = rf"^\d{{4}}-\d\d-\d\d{_CLOCK}$"
_ZONED = rf"^\d{{4}}-\d\d-\d\d{_CLOCK} ?(Z|[+-]\d\d(:?\d\d)?)$"
_DAY = r"^\d{4}-\d\d-\d\d$"
_WANTED = "an event time is a timestamp, whole epoch milliseconds, or ISO text as 2026-01-05 08:30:00"
_NO_CLOCK = "has no time of day, and midnight would be a guess; give the time too, or cast it to a timestamp if midnight is meant"


def times(column: Column, unit: str = "ms", since_ms: int = 0, layout: str = "") -> NDArray[np.int64]:
    """Return epoch ms [n] of a column of event times.

    Timestamps and texts without a zone are UTC. Numbers count ``unit`` from ``since_ms``. ``layout``: how texts are written, in
    strptime's notation. Raises ReplayError for a value that is missing, none of these, or not from 2000 to 2100.
    """
    column.no_missing()
    kind = column.array.type
    if pa.types.is_timestamp(kind):
        values = _of_timestamps(column.array)
    elif pa.types.is_date(kind):
        raise column.wrong_type(f"a date {_NO_CLOCK}")
    elif pa.types.is_string(kind):
        column = trimmed(column)
        column.no_missing()
        if layout:
            values = _by_layout(column, layout)
        elif trues(pc.match_substring_regex(column.array, r"^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$")).all():
            values = _counted(column, unit, since_ms)
        else:
            values = _of_texts(column)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = _counted(column, unit, since_ms)
    else:
        raise column.wrong_type(_WANTED)
    wrong = (values < EARLIEST) | (values >= LATEST)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise column.refusal(at, f"{column.shown(at)} is {_out_of(int(values[at]))}")
    return values


def instant_ms(text: str) -> int:
    """Return epoch ms of ISO text; without a zone it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _out_of(value: int) -> str:
    hint = ""
    for unit, factor in (("s", 1000.0), ("us", 1e-3), ("ns", 1e-6)):
        if EARLIEST <= value * factor < LATEST:
            hint = f"; the column looks like {unit}, which --time-unit {unit} says"
    return f"not epoch milliseconds from 2000 to 2100{hint}"


def _of_timestamps(array: pa.Array) -> NDArray[np.int64]:
    counts = np.asarray(array.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)
    if array.type.unit == "s":
        # Beyond any event time, and within 64 bits as milliseconds.
        return np.clip(counts, -LATEST, LATEST) * SECOND_MS
    # Nanoseconds are cut to milliseconds: an event time has no more.
    return counts // {"ms": 1, **FINE_UNITS}[array.type.unit]


def _counted(column: Column, unit: str, since_ms: int) -> NDArray[np.int64]:
    if unit == "ms" and not since_ms:
        return wholes(column, _WANTED)
    if unit in FINE_UNITS:
        return wholes(column, f"it counts {unit}") // FINE_UNITS[unit] + since_ms
    counts = floats(column) * UNITS[unit]
    column.refuse(~(np.abs(counts) < 2.0**53), lambda value: f"{value} {unit} is no time from 2000 to 2100")
    return np.rint(counts).astype(np.int64) + since_ms


def _by_layout(column: Column, layout: str) -> NDArray[np.int64]:
    parsed = pc.strptime(column.array, format=layout, unit="s", error_is_null=True)
    column.refuse(parsed.is_null(), lambda value: f"{value} is not written as {layout}")
    return _of_timestamps(parsed)


def _of_texts(column: Column) -> NDArray[np.int64]:
    array = column.array
    naive, zoned = (trues(pc.match_substring_regex(array, form)) for form in (_NAIVE, _ZONED))
    if (~(naive | zoned)).any():
        day = trues(pc.match_substring_regex(array, _DAY))
        column.refuse(day, lambda value: f"{value} {_NO_CLOCK}")
        column.refuse(~(naive | zoned), lambda value: f"{value} is no time; {_WANTED}")
    array = pc.replace_substring(array, ",", ".")
    # 1677 to 2262 is what nanoseconds hold, and we take less.
    year = pc.utf8_slice_codeunits(array, 0, 2)
    column.refuse(pc.and_(pc.not_equal(year, "20"), pc.not_equal(year, "21")), lambda value: f"{value} is not from 2000 to 2100")
    values = np.empty(len(array), dtype=np.int64)
    for mask, kind in ((naive, pa.timestamp("ns")), (zoned, pa.timestamp("ns", "UTC"))):
        if mask.any():
            values[mask] = _of_timestamps(_cast(column, _joined_zone(array.filter(pa.array(mask))), kind, np.flatnonzero(mask)))
    return values


def _joined_zone(array: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(array, r" (Z|[+-]\d\d:?\d*)$", r"\1")


def _cast(column: Column, array: pa.Array, kind: pa.DataType, at: NDArray[np.int64]) -> pa.Array:
    try:
        return array.cast(kind)
    except pa.ArrowInvalid:
        for place, value in zip(at.tolist(), array.to_pylist(), strict=True):
            try:
                pa.array([value]).cast(kind)
            except pa.ArrowInvalid:
                raise column.refusal(place, f"{value!r} is no time; there is no such day or hour") from None
        raise
