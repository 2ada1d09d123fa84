"""One small model is trained for the whole file: importing TensorFlow is what costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from features.base.durations import DAY_MS
from features.catalogue.vector import INDEX, SCHEMA, WIDTH
from retrain.training import onnx
from retrain.training.dataset import Dataset, read, write
from retrain.training.evaluate import average_precision
from retrain.training.families import perceptron

if TYPE_CHECKING:
    import keras

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow, Keras and the converter warn about each other


def _data(n: int = 6000) -> Dataset:
    rng = np.random.default_rng(1)
    vectors = rng.exponential(5.0, (n, WIDTH)).astype(np.float32)
    vectors[:, INDEX["weekend"]] = 0.0
    fraud = vectors[:, INDEX["amount"]] > np.quantile(vectors[:, INDEX["amount"]], 0.98)
    time = np.sort(rng.integers(0, 40 * DAY_MS, n))
    card = rng.integers(0, 2**32, n).astype(np.uint32)
    return Dataset(vectors, time, np.full(n, 1000), fraud, np.ones(n, bool), card)


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    return perceptron.train(_data(), 40 * DAY_MS, 15.0, 7 * DAY_MS, max_rows=5000, epochs=8, seed=7)


def test_the_exported_model_scores_as_keras_does_and_has_learned(trained: keras.Model, tmp_path: Path) -> None:
    data = _data()
    sample = data.vectors[:500].copy()
    # Missing values, nothing at all, absurd amounts.
    sample[0], sample[1], sample[2] = -1.0, 0.0, 1e9
    path = tmp_path / "model.onnx"
    assert onnx.export(trained, path, sample, SCHEMA) <= onnx.TOLERANCE
    scores = onnx.score(path, data.vectors)
    assert scores.shape == (len(data),)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    assert average_precision(scores, data.is_fraud) > 0.8
    with pytest.raises(onnx.ExportError, match="differs from the Keras model"):
        onnx.check(path, np.zeros(500, np.float32), sample)


def test_an_operator_that_onnx_lacks_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    """The converter writes such a file without a word."""
    import keras
    from keras import ops

    inputs = keras.Input((WIDTH,), dtype="float32")
    broken = keras.Model(inputs, keras.layers.Dense(1)(ops.log1p(inputs)))
    with pytest.raises(onnx.ExportError, match="cannot be run"):
        onnx.export(broken, tmp_path / "model.onnx", np.ones((4, WIDTH), np.float32), SCHEMA)
    assert not list(tmp_path.iterdir())


def test_one_class_cannot_be_learned() -> None:
    data = _data(100)
    with pytest.raises(ValueError, match="needs both"):
        perceptron.train(data.take(~data.is_fraud), 0, 15.0, 0, max_rows=100, epochs=1, seed=1)


def test_a_dataset_survives_its_file(tmp_path: Path) -> None:
    data = _data(100)
    write(data, tmp_path / "table")
    again = read(tmp_path / "table")
    for name in ("vectors", "event_time_ms", "amount_minor", "is_fraud", "known", "card"):
        before, after = getattr(data, name), getattr(again, name)
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)
