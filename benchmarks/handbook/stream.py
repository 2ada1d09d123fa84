"""This project's vectors, computed as the stream computes them: event by event, labels only once they are due."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.handbook.data import Transactions
from features.base.active import DOMAIN
from features.base.durations import DAY_MS, HOUR_MS
from features.catalogue.formulas import HIGH
from features.catalogue.vector import INDEX, WIDTH
from features.history.state import SubjectState
from features.jobs.daily_profiles import Habits
from features.transform.columns import Columns, counterpart_numbers
from features.transform.counterpart_tiles import COLUMNS
from features.transform.fill import fill
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH, Profiles
from features.transform.update import update

_RATIO, _ABOVE_LIMIT = INDEX["ratio_to_robust_mean"], INDEX["amount_above_limit"]
#: Hours of a date, with room: terminal and hour in one number.
_COUNTERPART = 10**8


def vectors(transactions: Transactions, delay_days: int, step_hours: int = 1) -> NDArray[np.float32]:
    """The vector of each transaction, float32 [n, WIDTH], by ``features.transform.update`` and ``features.transform.profiles``.

    A transaction sees: the card's earlier ones, up to the event itself; the terminal's outcomes up to the label horizon; and the
    customer profile of the midnight before (the daily job's). The tiles hold all outcomes of the data, also later ones:
    ``features.transform.counterpart_tiles.read`` looks at none behind the horizon
    (tests/unit/features/transform/test_counterpart_tiles.py), so these are the values that tiles as of each event would give. The
    data has no places, categories, entry modes or PINs, so these columns hold their missing values.
    """
    out = np.empty((len(transactions), WIDTH), dtype=np.float32)
    if len(transactions) == 0:
        return out
    state = SubjectState()
    profiles = _DailyProfiles(int(transactions.subject.max()) + 1)
    number = counterpart_numbers(str(t) for t in range(int(transactions.counterpart.max()) + 1))
    parts = _days(transactions)
    batches = [_columns(transactions, part, number) for part in parts]
    for part, batch in zip(parts, batches, strict=True):
        out[part] = update(state, batch, DOMAIN.measure_limit)
    tiles, begin, end = _tiles(transactions, (out[:, _RATIO] > HIGH) | (out[:, _ABOVE_LIMIT] > 0))
    for part, batch in zip(parts, batches, strict=True):
        subject, counterpart = transactions.subject[part], transactions.counterpart[part]
        never = np.zeros(len(subject), dtype=np.int64)
        known = Profiles(
            profiles.profile[subject], profiles.usual[subject], never, tiles, begin[counterpart], end[counterpart], never
        )
        fill(out[part], batch, known, delay_days * DAY_MS, step_hours)
        profiles.add(subject, transactions.time_ms[part], transactions.measure[part], transactions.counterpart[part])
    return out


def _days(transactions: Transactions) -> list[slice]:
    first = np.flatnonzero(np.diff(transactions.day, prepend=-1)).tolist()
    return [slice(begin, end) for begin, end in zip(first, [*first[1:], len(transactions)], strict=True)]


def _columns(transactions: Transactions, part: slice, number: NDArray[np.int32]) -> Columns:
    subject = [str(c) for c in transactions.subject[part].tolist()]
    unknown = np.full(len(subject), -1, dtype=np.int8)
    nowhere = np.full(len(subject), np.nan, dtype=np.float32)
    return Columns(
        subject,
        transactions.time_ms[part],
        transactions.measure[part],
        number[transactions.counterpart[part]],
        np.zeros(len(subject), dtype=np.int64),
        nowhere,
        nowhere,
        unknown,
        unknown,
        np.zeros(len(subject), dtype=np.int8),
    )


def _tiles(
    transactions: Transactions, unusual: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The tiles of all terminals [m, 4], and where each terminal's begin and end."""
    key = transactions.counterpart * _COUNTERPART + transactions.time_ms // HOUR_MS
    keys, place = np.unique(key, return_inverse=True)
    tiles = np.zeros((len(keys), COLUMNS), dtype=np.int64)
    tiles[:, 0] = keys % _COUNTERPART
    np.add.at(tiles[:, 1], place, 1)
    np.add.at(tiles[:, 2], place, transactions.positive)
    np.add.at(tiles[:, 3], place, transactions.positive & ~unusual)
    counterparts = np.arange(int(transactions.counterpart.max()) + 1)
    begin, end = (np.searchsorted(keys // _COUNTERPART, counterparts, side=side) for side in ("left", "right"))
    return tiles, begin, end


class _DailyProfiles:
    """What ``features.jobs.daily_profiles`` writes each midnight, card by card: rows of ``profile`` and ``usual``."""

    def __init__(self, subjects: int) -> None:
        self.profile = np.full((subjects, PROFILE_WIDTH), np.nan, dtype=np.float32)
        self.usual = np.zeros((subjects, USUAL_WIDTH), dtype=np.int64)
        self._habits = [Habits() for _ in range(subjects)]

    def add(
        self, subject: NDArray[np.int64], time_ms: NDArray[np.int64], amount: NDArray[np.int64], counterpart: NDArray[np.int64]
    ) -> None:
        """Close a day."""
        rows = zip(subject.tolist(), time_ms.tolist(), amount.tolist(), counterpart.tolist(), strict=True)
        for owner, time, paid, place in rows:
            self._habits[owner].add(time, paid, str(place), None, None)
        for owner in np.unique(subject).tolist():
            self.profile[owner], self.usual[owner] = self._habits[owner].profile()
