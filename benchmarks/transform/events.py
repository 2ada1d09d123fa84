"""Events for the transform: the Handbook's file, or a seeded stream of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.handbook.data import load
from features.base.durations import DAY_MS
from features.transform.columns import Columns, terminal_numbers

#: How many events a batch has: the scorer's under a backlog.
BATCH = 2_000
#: 2026-01-01.
_START_DAY = 20_454


@dataclass(frozen=True, slots=True)
class Stream:
    """n events of ``cards`` cards by event time. ``card`` int64 [n]; ``columns`` what the transform takes, [n]."""

    name: str
    cards: int
    card: NDArray[np.int64]
    columns: Columns

    def __len__(self) -> int:
        return len(self.card)

    def of(self, wanted: NDArray[np.bool_]) -> Stream:
        """The ``wanted`` [n] events alone."""
        return Stream(f"{self.name}, some cards", self.cards, self.card[wanted], self.columns.take(np.flatnonzero(wanted)))

    def batches(self, start: int, stop: int) -> Iterator[Columns]:
        """The events from ``start`` to ``stop`` in batches."""
        for at in range(start, stop, BATCH):
            yield self.columns.take(np.arange(at, min(at + BATCH, stop)))


def handbook(path: Path) -> Stream:
    """The Handbook's file, which has no places, entry modes or PINs. Raises ValueError as ``benchmarks.handbook.data.load``."""
    t = load(path)
    return Stream(path.name, int(t.card.max()) + 1, t.card, columns_of(t.card, t.time_ms, t.amount_minor, t.terminal))


def columns_of(
    card: NDArray[np.int64], time_ms: NDArray[np.int64], amount_minor: NDArray[np.int64], terminal: NDArray[np.int64]
) -> Columns:
    """What the transform takes, from the numbers that the Handbook's data gives, [n] each; all else is unknown."""
    terminals, place = np.unique(terminal, return_inverse=True)
    number = terminal_numbers(str(t) for t in terminals.tolist())
    nowhere, unknown = np.full(len(card), np.nan, dtype=np.float32), np.full(len(card), -1, dtype=np.int8)
    category = np.zeros(len(card), dtype=np.int64)
    cards = [str(c) for c in card.tolist()]
    return Columns(cards, time_ms, amount_minor, number[place], category, nowhere, nowhere, unknown, unknown)


def simulated(cards: int, days: int, daily: float, seed: int = 5) -> Stream:
    """Every field filled. Cards pay ``daily`` times a day in the mean, some ten times as often as others, most of the time at 20
    terminals of their own, for amounts of their own scale."""
    draw = np.random.default_rng(seed)
    n = int(cards * days * daily)
    weights = draw.lognormal(0.0, 0.7, cards)
    card = draw.choice(cards, n, p=weights / weights.sum()).astype(np.int64)
    time = np.sort(_START_DAY * DAY_MS + draw.integers(0, days * DAY_MS, n))
    scale = draw.lognormal(3.5, 0.6, cards)
    amount = np.rint(100 * scale[card] * draw.lognormal(0.0, 0.8, n)).astype(np.int64) + 1
    own = (card * 7_919 + draw.integers(0, 20, n)) % cards
    terminal = np.where(draw.random(n) < 0.8, own, draw.integers(0, cards, n)).astype(np.int32)
    home = draw.uniform((45.0, -1.0), (49.0, 6.0), (cards, 2))
    place = home[card] + draw.normal(0.0, 0.05, (n, 2))
    columns = Columns(
        [f"card-{c}" for c in card.tolist()],
        time,
        amount,
        terminal,
        draw.integers(1, 30, n),
        place[:, 0].astype(np.float32),
        place[:, 1].astype(np.float32),
        draw.integers(0, 5, n).astype(np.int8),
        draw.integers(0, 2, n).astype(np.int8),
    )
    return Stream(f"simulated, {cards:,} cards", cards, card, columns)
