"""Events for the transform: the Handbook's file, or a seeded stream of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.handbook.data import load
from features.base.durations import DAY_MS
from features.transform.columns import Columns, counterpart_numbers

#: How many events a batch has: the scorer's under a backlog.
BATCH = 2_000
#: 2026-01-01.
_START_DAY = 20_454


@dataclass(frozen=True, slots=True)
class Stream:
    """n events of ``cards`` cards by event time. ``card`` int64 [n]; ``columns`` what the transform takes, [n]."""

    name: str
    subjects: int
    subject: NDArray[np.int64]
    columns: Columns

    def __len__(self) -> int:
        return len(self.subject)

    def of(self, wanted: NDArray[np.bool_]) -> Stream:
        """The ``wanted`` [n] events alone."""
        return Stream(f"{self.name}, some cards", self.subjects, self.subject[wanted], self.columns.take(np.flatnonzero(wanted)))

    def batches(self, start: int, stop: int) -> Iterator[Columns]:
        """The events from ``start`` to ``stop`` in batches."""
        for at in range(start, stop, BATCH):
            yield self.columns.take(np.arange(at, min(at + BATCH, stop)))


def handbook(path: Path) -> Stream:
    """The Handbook's file, which has no places, entry modes or PINs. Raises ValueError as ``benchmarks.handbook.data.load``."""
    t = load(path)
    return Stream(path.name, int(t.subject.max()) + 1, t.subject, columns_of(t.subject, t.time_ms, t.measure, t.counterpart))


def columns_of(
    subject: NDArray[np.int64], time_ms: NDArray[np.int64], measure: NDArray[np.int64], counterpart: NDArray[np.int64]
) -> Columns:
    """What the transform takes, from the numbers that the Handbook's data gives, [n] each; all else is unknown."""
    counterparts, place = np.unique(counterpart, return_inverse=True)
    number = counterpart_numbers(str(t) for t in counterparts.tolist())
    nowhere, unknown = np.full(len(subject), np.nan, dtype=np.float32), np.full(len(subject), -1, dtype=np.int8)
    category = np.zeros(len(subject), dtype=np.int64)
    subjects = [str(c) for c in subject.tolist()]
    return Columns(
        subjects,
        time_ms,
        measure,
        number[place],
        category,
        nowhere,
        nowhere,
        unknown,
        unknown,
        np.zeros(len(subjects), dtype=np.int8),
    )


def simulated(subjects: int, days: int, daily: float, seed: int = 5) -> Stream:
    """Every field filled. Cards pay ``daily`` times a day in the mean, some ten times as often as others, most of the time at 20
    terminals of their own, for amounts of their own scale."""
    draw = np.random.default_rng(seed)
    n = int(subjects * days * daily)
    weights = draw.lognormal(0.0, 0.7, subjects)
    subject = draw.choice(subjects, n, p=weights / weights.sum()).astype(np.int64)
    time = np.sort(_START_DAY * DAY_MS + draw.integers(0, days * DAY_MS, n))
    scale = draw.lognormal(3.5, 0.6, subjects)
    amount = np.rint(100 * scale[subject] * draw.lognormal(0.0, 0.8, n)).astype(np.int64) + 1
    own = (subject * 7_919 + draw.integers(0, 20, n)) % subjects
    counterpart = np.where(draw.random(n) < 0.8, own, draw.integers(0, subjects, n)).astype(np.int32)
    home = draw.uniform((45.0, -1.0), (49.0, 6.0), (subjects, 2))
    place = home[subject] + draw.normal(0.0, 0.05, (n, 2))
    columns = Columns(
        [f"card-{c}" for c in subject.tolist()],
        time,
        amount,
        counterpart,
        draw.integers(1, 30, n),
        place[:, 0].astype(np.float32),
        place[:, 1].astype(np.float32),
        draw.integers(0, 5, n).astype(np.int8),
        draw.integers(0, 2, n).astype(np.int8),
        np.zeros(n, dtype=np.int8),
    )
    return Stream(f"simulated, {subjects:,} cards", subjects, subject, columns)
