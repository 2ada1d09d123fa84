"""The fault rules: what a producer sends wrongly is named by the hour."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base.durations import HOUR_MS
from streams.drift.data.counts import Counts
from streams.drift.data.faults import Expected, Fault, find
from tests.contracts.detectors.contract import Contract, Draw
from tests.unit.streams.drift.data.test_faults import CASES
from tests.unit.streams.drift.synthetic import GivenReferences, Vectors, times_of, vectors

_ROWS = 1500


class Window(NamedTuple):
    times: NDArray[np.int64]
    values: Vectors


@cache
def _expected() -> Expected:
    return Expected(GivenReferences("v1").get("v1").features)


class Look:
    """Remembers nothing; counts are added a few rows at a time, as they come."""

    def __call__(self, window: Window, day: int) -> list[Fault]:
        slices: dict[int, Counts] = {}
        starts = window.times // HOUR_MS * HOUR_MS
        for i in range(0, len(starts), 100):
            part = slice(i, i + 100)
            for start in np.unique(starts[part]).tolist():
                slices.setdefault(start, Counts()).add(window.values[part][starts[part] == start])
        return find(dict(sorted(slices.items())), HOUR_MS, _expected())


def calm(rng: np.random.Generator, day: int) -> Window:
    times = times_of(rng, day, _ROWS)
    return Window(times, vectors(rng, times))


def with_fault(spoil: Callable[[Vectors], None]) -> Draw:
    """From ten to two o'clock."""

    def draw(rng: np.random.Generator, day: int) -> Window:
        window = calm(rng, day)
        hour = window.times // HOUR_MS % 24
        hit = (hour >= 10) & (hour < 14)
        part = window.values[hit]
        spoil(part)
        window.values[hit] = part
        return window

    return draw


def shuffled(rng: np.random.Generator, window: Window) -> Window:
    order = rng.permutation(len(window.times))
    return Window(window.times[order], window.values[order])


CONTRACT = Contract(
    "streams.drift.data.faults",
    Look,
    calm,
    {f"{field} {rule}": with_fault(spoil) for spoil, field, rule in CASES},
    delay=1,
    days=60,
    seeds=3,
    shuffled=shuffled,
)
