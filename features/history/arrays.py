"""A subject state's histories as arrays without holes, each column as wide as its values are, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled_cached
from features.history.row_layout import (
    FLAGS,
    LENGTH,
    NEWEST,
    SWEPT,
    History,
    age,
    drop_old,
    measure_of,
    put_measure,
    put_time,
    segment,
)

#: The columns of a row.
COLUMNS: dict[str, Any] = {
    "times": np.int64,
    "flags": np.int64,
    "measures": np.int64,
    "counterparts": np.int32,
    "ratios": np.float32,
    "latitudes": np.float32,
    "longitudes": np.float32,
}


class Table(NamedTuple):
    """The rows of all subjects, one after the other: event time in ms, flags (``features.history.row_layout``), measure in minor
    units, ..."""

    times: NDArray[np.int64]
    flags: NDArray[np.int64]
    measures: NDArray[np.int64]
    counterparts: NDArray[np.int32]
    ratios: NDArray[np.float32]
    latitudes: NDArray[np.float32]
    longitudes: NDArray[np.float32]


@compiled_cached
def drop_old_of(h: History, slots: NDArray[np.int64]) -> None:
    """Remove what is no part of these subjects' histories any more."""
    for slot in slots:
        drop_old(h, slot)


@compiled_cached
def write_out(h: History, slots: NDArray[np.int64], out: Table) -> None:
    """Fill ``out`` with the rows of ``slots``."""
    at = 0
    for slot in slots:
        subject = segment(h, slot)
        for row in range(h.subjects[slot, LENGTH]):
            out.times[at] = subject.newest - age(subject, row)
            out.flags[at] = subject.flags[row] & FLAGS
            out.measures[at] = measure_of(subject, row)
            out.counterparts[at] = subject.counterparts[row]
            out.ratios[at] = subject.ratios[row]
            out.latitudes[at] = subject.latitudes[row]
            out.longitudes[at] = subject.longitudes[row]
            at += 1


@compiled_cached
def read_in(h: History, first: int, rows: Table) -> None:
    """Fill the segments of the slots from ``first`` on, which have their lengths already."""
    at = 0
    for slot in range(first, h.subjects.shape[0]):
        n = h.subjects[slot, LENGTH]
        if n > 0:
            h.subjects[slot, NEWEST] = h.subjects[slot, SWEPT] = rows.times[at + n - 1]
        subject = segment(h, slot)
        for row in range(n):
            put_time(subject, row, rows.times[at], rows.flags[at])
            put_measure(subject, row, rows.measures[at])
            subject.counterparts[row] = rows.counterparts[at]
            subject.ratios[row] = rows.ratios[at]
            subject.latitudes[row] = rows.latitudes[at]
            subject.longitudes[row] = rows.longitudes[at]
            at += 1
