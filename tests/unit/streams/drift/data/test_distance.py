"""Our undrawn metric is Evidently's own, and the share is over the counted columns."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from streams.drift.data.columns import CATEGORICAL, WATCHED, frame
from streams.drift.data.distance import CATEGORICAL_METHOD, NUMERIC_METHOD, compare, load
from tests.unit.streams.drift.synthetic import scores_of, times_of, vectors


def test_distances_are_evidentlys() -> None:
    rng = np.random.default_rng(1)
    before, after = (vectors(rng, times_of(rng, 0, 1000), amounts) for amounts in (1.0, 1.6))
    sides = (frame(before, scores_of(rng, before)), frame(after, scores_of(rng, after)))
    ours = compare(sides[0], sides[1], 0.15, WATCHED)
    evidently, metrics, _ = load()
    definition = evidently.DataDefinition(
        numerical_columns=[c for c in WATCHED if c not in CATEGORICAL], categorical_columns=list(CATEGORICAL)
    )
    reference, current = (evidently.Dataset.from_pandas(side, data_definition=definition) for side in sides)
    for column in ("amount", "entry_mode"):
        method = CATEGORICAL_METHOD if column in CATEGORICAL else NUMERIC_METHOD
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = evidently.Report([metrics.ValueDrift(column=column, method=method)]).run(current, reference).dict()
        assert ours.by_column[column] == pytest.approx(report["metrics"][0]["value"])
    assert set(ours.by_column) == set(WATCHED)
    assert ours.share == pytest.approx(len(ours.drifted) / len(WATCHED))
    assert compare(sides[0], sides[1], 0.15, {"entry_mode", "pin_used"}).share == 0.0


def test_a_column_of_which_hardly_anything_is_known_is_left_out() -> None:
    rng = np.random.default_rng(2)
    values = vectors(rng, times_of(rng, 0, 400))
    unscored = np.full(400, np.nan, dtype=np.float32)
    distances = compare(frame(values, scores_of(rng, values)), frame(values, unscored), 0.15, WATCHED)
    assert "score" not in distances.by_column
    assert distances.share == 0.0
