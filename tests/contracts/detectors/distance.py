"""Evidently's distances, column by column: a window drifted by the share of the watched columns."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from features.base.sections import Drift
from streams.drift.data.columns import WATCHED, frame
from streams.drift.data.distance import Distances, compare
from tests.contracts.detectors.contract import Contract, workday
from tests.unit.streams.drift.synthetic import scores_of, times_of, vectors

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 1500


def _frame(rng: np.random.Generator, day: int, amounts: float, earlier: float) -> pd.DataFrame:
    values = vectors(rng, times_of(rng, workday(day), _ROWS), amounts, earlier)
    return frame(values, scores_of(rng, values))


@cache
def _reference() -> pd.DataFrame:
    import pandas as pd

    rng = np.random.default_rng(99)
    return pd.concat([_frame(rng, day, 1.0, 1.0) for day in range(3)], ignore_index=True)


class Look:
    """Remembers nothing: each window is held against the reference."""

    def __call__(self, window: pd.DataFrame, day: int) -> Distances | None:
        drift = Drift()
        distances = compare(_reference(), window, drift.feature_threshold, WATCHED)
        return distances if distances.share >= drift.share_threshold else None


def calm(rng: np.random.Generator, day: int) -> pd.DataFrame:
    return _frame(rng, day, 1.0, 1.0)


def dearer(rng: np.random.Generator, day: int) -> pd.DataFrame:
    return _frame(rng, day, 2.0, 2.0)


def shuffled(rng: np.random.Generator, window: pd.DataFrame) -> pd.DataFrame:
    return window.iloc[rng.permutation(len(window))].reset_index(drop=True)


def same(distances: object, other: object) -> bool:
    """But for the order in which floats are added."""
    if not isinstance(distances, Distances) or not isinstance(other, Distances):
        return distances is other is None
    return distances.by_column == pytest.approx(other.by_column, rel=1e-9) and (distances.drifted, distances.share) == (
        other.drifted,
        other.share,
    )


CONTRACT = Contract(
    "streams.drift.data.distance",
    Look,
    calm,
    {"dearer": dearer},
    delay=1,
    days=8,
    seeds=2,
    before=1,
    shuffled=shuffled,
    same=same,
)
