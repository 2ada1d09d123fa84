"""This project's vectors, computed as the stream computes them: day after day, labels only once they are due."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.handbook.data import Transactions
from features import terminal_tiles
from features.card_state import CardState
from features.columns import Columns, terminal_numbers
from features.profiles import PROFILE_WIDTH, fill
from features.transform import update
from features.vector import WIDTH


def vectors(transactions: Transactions, delay_days: int) -> NDArray[np.float32]:
    """The vector of each transaction, float32 [n, WIDTH], by ``features.transform`` and ``features.profiles``.

    A day's transactions see: the card's earlier ones, up to the event itself; the terminals' outcomes of the days before that
    day minus the delay, counted in when they are due; and the customer profile of the midnight before (the daily job's).
    The data has no places, entry modes or PINs, so these columns hold their missing values.
    """
    out = np.empty((len(transactions), WIDTH), dtype=np.float32)
    if len(transactions) == 0:
        return out
    state = CardState()
    profiles = _DailyProfiles(int(transactions.card.max()) + 1)
    tiles = np.zeros((int(transactions.terminal.max()) + 1, terminal_tiles.TILE_WIDTH), dtype=np.int64)
    number = terminal_numbers(str(t) for t in range(len(tiles)))
    day = transactions.day
    due = 0
    for today in np.unique(day):
        part = slice(int(np.searchsorted(day, today)), int(np.searchsorted(day, today, side="right")))
        matured = int(np.searchsorted(day, today - delay_days))
        _count_outcomes(tiles, transactions, slice(due, matured))
        due = matured

        time, card, terminal = transactions.time_ms[part], transactions.card[part], transactions.terminal[part]
        amount = transactions.amount_minor[part]
        batch = _columns(time, card, number[terminal], amount)
        out[part] = update(state, batch)
        fill(
            out[part],
            time,
            amount,
            batch.latitude,
            batch.longitude,
            profiles.read(card),
            tiles[terminal],
            delay_days,
        )
        profiles.add(card, amount)
    return out


def _count_outcomes(tiles: NDArray[np.int64], transactions: Transactions, rows: slice) -> None:
    for terminal, time, fraud in zip(
        transactions.terminal[rows].tolist(),
        transactions.time_ms[rows].tolist(),
        transactions.is_fraud[rows].tolist(),
        strict=True,
    ):
        terminal_tiles.add(tiles[terminal], time, fraud)


def _columns(time: NDArray[np.int64], card: NDArray[np.int64], terminal: NDArray[np.int64], amount: NDArray[np.int64]) -> Columns:
    unknown = np.full(len(time), -1, dtype=np.int8)
    nowhere = np.full(len(time), np.nan)
    return Columns([str(c) for c in card.tolist()], time, amount, terminal, nowhere, nowhere, unknown, unknown)


class _DailyProfiles:
    """What ``features.jobs.profile`` writes each midnight, without its places: mean amount and count so far."""

    def __init__(self, cards: int) -> None:
        self._amount = np.zeros(cards, dtype=np.int64)
        self._count = np.zeros(cards, dtype=np.int64)

    def read(self, card: NDArray[np.int64]) -> NDArray[np.float32]:
        """Profiles float32 [n, PROFILE_WIDTH], NaN where the card was not seen before."""
        found = np.full((len(card), PROFILE_WIDTH), np.nan, dtype=np.float32)
        count = self._count[card]
        seen = count > 0
        found[seen, 2] = self._amount[card[seen]] / count[seen] / 100.0
        found[seen, 3] = count[seen]
        return found

    def add(self, card: NDArray[np.int64], amount: NDArray[np.int64]) -> None:
        """Close a day."""
        np.add.at(self._amount, card, amount)
        np.add.at(self._count, card, 1)
