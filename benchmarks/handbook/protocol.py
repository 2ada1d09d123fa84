"""Who is trained on and who is tested: the Handbook's windows, and the cards that the label delay has already given away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from benchmarks.handbook.data import Transactions

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days UTC, both ends included, as days since 1970-01-01."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{name_of(self.first)}:{name_of(self.last)}"

    def holds(self, day: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these days lie in it."""
        return (day >= self.first) & (day <= self.last)


@dataclass(frozen=True, slots=True)
class Protocol:
    """``train`` and ``test`` of the Handbook; training rows begin at ``train_from`` (``train.first`` where it is not moved)."""

    train: Period
    test: Period
    delay_days: int
    train_from: int

    def earlier(self, days: int) -> Protocol:
        """The same, ``days`` earlier; training begins where it did, if that was moved."""
        train, test = (Period(p.first - days, p.last - days) for p in (self.train, self.test))
        return Protocol(train, test, self.delay_days, train.first if self.train_from == self.train.first else self.train_from)

    def check(self, transactions: Transactions) -> None:
        """Raises ValueError where the windows leak labels, or hold no rows of both classes."""
        if self.delay_days < 1:
            raise ValueError(
                "--delay-days: must be 1 or more; with no delay a terminal's windows would hold the event's own label"
            )
        if self.train.last + self.delay_days >= self.test.first:
            last = name_of(self.test.first - self.delay_days - 1)
            raise ValueError(f"--train: labels after {last} are not known when the test begins; end it there or earlier")
        if self.train_from > self.train.last:
            raise ValueError("--train-from: lies after the end of --train")
        for name, rows in (("--train", self.train_rows(transactions)), ("--test", self.test_rows(transactions))):
            positives = int(transactions.positive[rows].sum())
            if positives == 0 or positives == len(rows):
                raise ValueError(
                    f"{name}: {positives} of {len(rows)} rows are frauds; choose days of the data that hold both classes"
                )

    def train_rows(self, transactions: Transactions) -> NDArray[np.int64]:
        """Rows to learn from."""
        return np.flatnonzero(Period(self.train_from, self.train.last).holds(transactions.day))

    def test_rows(self, transactions: Transactions) -> NDArray[np.int64]:
        """Rows to judge by: on each day without the cards whose fraud since ``train.first`` is known by that day.

        ``train_from`` does not change them, so that all training windows are judged on the same rows.
        """
        never = np.iinfo(np.int64).max
        first_day = np.full(int(transactions.subject.max()) + 1, never)
        positive = np.flatnonzero(transactions.positive & (transactions.day >= self.train.first))
        np.minimum.at(first_day, transactions.subject[positive], transactions.day[positive])
        known_from = np.where(first_day == never, never, first_day + self.delay_days + 1)
        return np.flatnonzero(self.test.holds(transactions.day) & (transactions.day < known_from[transactions.subject]))


def day_of(text: str) -> int:
    """YYYY-MM-DD as days since 1970-01-01. Raises ValueError."""
    return (datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date() - _EPOCH).days


def name_of(day: int) -> str:
    """The inverse of ``day_of``."""
    return date.fromordinal(_EPOCH.toordinal() + day).isoformat()


def period_of(text: str) -> Period:
    """FIRST:LAST, both dates included. Raises ValueError."""
    first, _, last = text.partition(":")
    period = Period(day_of(first), day_of(last))
    if period.last < period.first:
        raise ValueError(f"{text} ends before it begins")
    return period
