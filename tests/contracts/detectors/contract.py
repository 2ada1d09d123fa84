"""What a detector's file here gives: how it is made, and windows before and after a change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class Look(Protocol):
    """A detector that remembers what it has seen."""

    def __call__(self, window: Any, day: int) -> object:
        """Take the next window; return what was found, falsy where that is nothing."""
        ...


#: The window of a day, drawn with a generator.
Draw = Callable[[np.random.Generator, int], Any]
Same = Callable[[object, object], bool]


@dataclass(frozen=True)
class Contract:
    """``detector``: its module. ``changes``: by name, what windows look like after an abrupt change. ``delay``: by which window
    after it there is an alarm, 1: by the first one; ``before``: after so many calm ones.

    ``days`` calm windows by each of ``seeds`` seeds give at most ``false_alarms`` altogether. ``shuffled``: the same window in
    another order, where that is claimed to make no difference to what is found, by ``same``.
    """

    detector: str
    make: Callable[[], Look]
    calm: Draw
    changes: Mapping[str, Draw]
    delay: int
    days: int
    seeds: int
    false_alarms: int = 0
    before: int = 10
    shuffled: Callable[[np.random.Generator, Any], Any] | None = None
    same: Same = lambda verdict, other: verdict == other


def workday(number: int) -> int:
    """The day of that workday, counted from a Monday."""
    return number // 5 * 7 + number % 5
