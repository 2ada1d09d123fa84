"""Half-open intervals of event time that hold faulty data."""

from __future__ import annotations

from collections.abc import Iterable

Interval = tuple[int, int]


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Return sorted, disjoint intervals that cover the same times; those that touch become one.

    >>> merge([(5, 7), (1, 3), (3, 4)])
    [(1, 4), (5, 7)]
    """
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def covers(intervals: Iterable[Interval], time_ms: int) -> bool:
    """Tell whether ``time_ms`` lies in one of them."""
    return any(start <= time_ms < end for start, end in intervals)
