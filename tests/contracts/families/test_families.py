"""One suite for every model family: it learns, it is the same in ONNX, and one seed gives one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from features.base.durations import DAY_MS
from features.catalogue.vector import SCHEMA
from retrain.training import families, onnx
from retrain.training.dataset import Dataset
from retrain.training.evaluate import average_precision
from retrain.training.families import Family
from tests.contracts.families.toys import DAYS, learnable, odd_vectors

pytestmark = [
    pytest.mark.parametrize("name", families.names()),
    pytest.mark.filterwarnings("ignore"),  # frameworks and converters warn about each other
]

#: Far below what the export lets pass (``onnx.TOLERANCE``).
CLOSE = 1e-5
_ROWS = 4000
_FITTED: dict[str, Fitted] = {}


class Fitted(NamedTuple):
    family: Family
    model: Any
    graph: bytes


def fit(name: str, data: Dataset, seed: int = 7) -> Fitted:
    family = families.load(name)
    model = family.train(data, DAYS * DAY_MS, 15.0, 7 * DAY_MS, max_rows=3000, epochs=6, seed=seed)
    return Fitted(family, model, bytes(family.graph(model).SerializeToString()))


@pytest.fixture
def fitted(name: str) -> Fitted:
    """Once for all tests of a family."""
    if name not in _FITTED:
        _FITTED[name] = fit(name, learnable(_ROWS))
    return _FITTED[name]


def test_the_onnx_file_scores_as_the_framework_does(fitted: Fitted, name: str, tmp_path: Path) -> None:
    path, sample = tmp_path / "model.onnx", odd_vectors(learnable(_ROWS)).vectors
    expected = fitted.family.score(fitted.model, sample)
    assert onnx.export(fitted.family.graph(fitted.model), expected, path, sample, SCHEMA) <= CLOSE
    scores = onnx.score(path, sample)
    assert scores.dtype == np.float32
    assert np.abs(scores - expected).max() <= CLOSE
    # A file of another model is not let pass.
    with pytest.raises(onnx.ExportError, match="differs from the fitted model"):
        onnx.export(fitted.family.graph(fitted.model), 1 - expected, tmp_path / "other.onnx", sample, SCHEMA)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_scores_are_shares_whatever_the_vector(fitted: Fitted, name: str) -> None:
    vectors = odd_vectors(learnable(_ROWS)).vectors
    scores = fitted.family.score(fitted.model, vectors)
    assert scores.shape == (len(vectors),)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()


def test_what_can_be_learned_is_though_columns_hold_one_value(fitted: Fitted, name: str) -> None:
    data = learnable(_ROWS, seed=2)
    precision = average_precision(fitted.family.score(fitted.model, data.vectors), data.positive)
    assert precision > 5 * data.positive.mean(), "chance is the share of fraud"


def test_one_seed_gives_one_file(fitted: Fitted, name: str) -> None:
    assert fit(name, learnable(_ROWS)).graph == fitted.graph


def test_one_class_cannot_be_learned(name: str) -> None:
    data = learnable(400)
    for part in (data.take(data.positive), data.take(~data.positive)):
        with pytest.raises(ValueError, match="needs both"):
            fit(name, part)
