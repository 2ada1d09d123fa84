"""What is Keras's own; the rest is in tests/contracts/families."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.base.durations import DAY_MS
from features.catalogue.vector import INDEX, SCHEMA, WIDTH
from retrain.training import onnx
from retrain.training.dataset import Dataset, read, write
from retrain.training.families import perceptron

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow, Keras and the converter warn about each other


def _data(n: int = 6000) -> Dataset:
    rng = np.random.default_rng(1)
    vectors = rng.exponential(5.0, (n, WIDTH)).astype(np.float32)
    vectors[:, INDEX["weekend"]] = 0.0
    positive = vectors[:, INDEX["amount"]] > np.quantile(vectors[:, INDEX["amount"]], 0.98)
    time = np.sort(rng.integers(0, 40 * DAY_MS, n))
    subject = rng.integers(0, 2**32, n).astype(np.uint32)
    return Dataset(vectors, time, np.full(n, 1000), positive, np.ones(n, bool), subject)


def test_an_operator_that_onnx_lacks_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    """The converter writes such a file without a word."""
    # As ``train`` does it: it cannot be set any more in this process once anything was computed, whichever test comes first.
    perceptron.limit_threads()
    import keras
    from keras import ops

    inputs = keras.Input((WIDTH,), dtype="float32")
    broken = keras.Model(inputs, keras.layers.Dense(1)(ops.log1p(inputs)))
    sample = np.ones((4, WIDTH), np.float32)
    with pytest.raises(onnx.ExportError, match="cannot be run"):
        onnx.export(perceptron.graph(broken), perceptron.score(broken, sample), tmp_path / "model.onnx", sample, SCHEMA)
    assert not list(tmp_path.iterdir())


def test_a_dataset_survives_its_file(tmp_path: Path) -> None:
    data = _data(100)
    write(data, tmp_path / "table")
    again = read(tmp_path / "table")
    for name in ("vectors", "event_time_ms", "measure", "positive", "known", "subject"):
        before, after = getattr(data, name), getattr(again, name)
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)
