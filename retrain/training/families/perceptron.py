"""The model: a small perceptron with its scaling inside the graph."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN, WORDS
from features.catalogue.vector import WIDTH
from retrain.training import onnx
from retrain.training.dataset import Dataset
from retrain.training.split import in_share
from retrain.training.weights import row_weights, thin

if TYPE_CHECKING:
    import keras
    from onnx import ModelProto

#: Share of the subjects whose rows decide when to stop.
VALIDATION_SUBJECTS = 0.1
#: Steps an epoch, where there are rows enough for batches of the smallest size; large sets take larger batches instead.
STEPS = 100
BATCHES = (64, 2048)
HIDDEN = (64, 32)
#: Scaled inputs are cut here: one absurd measure must not saturate every unit.
CLIP = 8.0


def limit_threads(threads: int = 2) -> None:
    """Keep TensorFlow to ``threads``; call before anything else touches it. Also turns its log and GPU search off."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Not as the environment, nor ~/.keras/keras.json, has it: one seed gives one model, by this backend.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def build(vectors: NDArray[np.float32], prior: float) -> keras.Model:
    """Build a Functional model: ``features`` float32 [n, WIDTH] -> ``score`` float32 [n, 1] in [0, 1].

    sign(x) * log(1 + |x|), standardising by ``vectors``' statistics, cut at CLIP, dense layers, sigmoid. The last bias starts at
    the log-odds of ``prior`` (share of positive by weight), so that the first epochs are not spent on finding it.
    """
    import keras
    from keras import ops

    logged = np.sign(vectors) * np.log1p(np.abs(vectors))
    deviation = logged.std(axis=0, dtype=np.float64)
    # A constant column carries nothing yet: leave it unscaled, not blown up.
    deviation[deviation < 1e-6] = 1.0

    inputs = keras.Input((WIDTH,), name="features", dtype="float32")
    # Not ops.log1p: ONNX has no such operator, and the converter writes the file all the same.
    x = ops.sign(inputs) * ops.log(1.0 + ops.absolute(inputs))
    # Names of our own: Keras counts on with the process, and one seed would give another file the second time.
    x = keras.layers.Normalization(mean=logged.mean(axis=0, dtype=np.float64), variance=deviation**2, name="standardised")(x)
    x = ops.clip(x, -CLIP, CLIP)
    for number, width in enumerate(HIDDEN):
        x = keras.layers.Dense(width, activation="relu", name=f"hidden_{number}")(x)
    bias = keras.initializers.Constant(float(np.log(prior / (1 - prior))))
    outputs = keras.layers.Dense(1, activation="sigmoid", name="score", bias_initializer=bias)(x)
    return keras.Model(inputs, outputs, name=DOMAIN.name)


def train(data: Dataset, end_ms: int, half_life_days: float, delay_ms: int, max_rows: int, epochs: int, seed: int) -> keras.Model:
    """Fit to ``data`` with the weights of ``weights.row_weights``; stop early on the loss of subjects not trained on.

    Raises ValueError where a class is missing.
    """
    positives = int(data.positive.sum())
    if positives == 0 or positives == len(data):
        raise ValueError(
            f"{positives} of {len(data)} training rows are {WORDS.positives}: a model needs both; wait for more labels"
        )
    limit_threads()
    import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    rows, factor = thin(data.positive, max_rows, rng)
    used = data.take(rng.permutation(rows))
    weight = row_weights(used.event_time_ms, used.positive, used.known, end_ms, half_life_days, delay_ms)
    weight = np.where(used.positive, weight, weight * factor).astype(np.float32)

    validation = in_share(used.subject, VALIDATION_SUBJECTS, salt=2)
    if not used.positive[validation].any() or not used.positive[~validation].any():
        validation = rng.random(len(used)) < VALIDATION_SUBJECTS
    learned = ~validation
    target = used.positive.astype(np.float32)
    prior = float(np.average(target[learned], weights=weight[learned]))
    model = build(used.vectors[learned], min(max(prior, 1e-4), 0.5))
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy", steps_per_execution=8)
    checks = (used.vectors[validation], target[validation], weight[validation]) if validation.any() else None
    stop = keras.callbacks.EarlyStopping("val_loss" if checks else "loss", patience=3, restore_best_weights=True)
    model.fit(
        used.vectors[learned],
        target[learned],
        sample_weight=weight[learned],
        validation_data=checks,
        batch_size=int(np.clip(learned.sum() // STEPS, *BATCHES)),
        epochs=epochs,
        callbacks=[stop],
        verbose=2,
    )
    return model


def score(model: keras.Model, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scores: see ``retrain.training.families.Family``."""
    return np.asarray(model.predict(vectors, batch_size=4096, verbose=0), dtype=np.float32).reshape(-1)


def graph(model: keras.Model) -> ModelProto:
    """Return the graph: see ``retrain.training.families.Family``."""
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec((None, WIDTH), tf.float32, name="features")]
    converted, _ = tf2onnx.convert.from_keras(model, input_signature=signature, opset=onnx.OPSET)
    # The converter's order of weights hangs on Python's hashes, and its name for the number of rows on what it did before.
    weights = sorted(converted.graph.initializer, key=lambda weight: weight.name)
    del converted.graph.initializer[:]
    converted.graph.initializer.extend(weights)
    for value in (*converted.graph.input, *converted.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    return converted
