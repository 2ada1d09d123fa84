"""The models: the Handbook's logistic regression and random forest with its settings, and a small Keras perceptron.

Each takes training rows float32 [n, k], labels [n], test rows [m, k] and a seed, and returns test scores float64 [m].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

Matrix = NDArray[np.float32]
Fit = Callable[[Matrix, NDArray[np.bool_], Matrix, int], NDArray[np.float64]]

#: Genuine rows that the perceptron learns from, at most: the others teach it little and cost time.
GENUINE = 400_000
HIDDEN = (128, 64)
DROPOUT = 0.2
EPOCHS = 30
#: Steps an epoch, as far as batches of these sizes give them.
STEPS = 100
BATCHES = (64, 2048)
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-3
CLIP = 6.0


@dataclass(frozen=True, slots=True)
class Model:
    """A model and whether another seed gives another result that is worth averaging."""

    name: str
    fit: Fit
    seeded: bool


def logistic_regression(train: Matrix, positive: NDArray[np.bool_], test: Matrix, seed: int) -> NDArray[np.float64]:
    """scikit-learn's defaults on standardised columns."""
    from sklearn.linear_model import LogisticRegression

    train_scaled, test_scaled = _standardised(train, test)
    model = LogisticRegression(random_state=seed).fit(train_scaled, positive)
    scores: NDArray[np.float64] = model.predict_proba(test_scaled)[:, 1]
    return scores


def random_forest(train: Matrix, positive: NDArray[np.bool_], test: Matrix, seed: int) -> NDArray[np.float64]:
    """scikit-learn's defaults (100 trees, grown to the end) on standardised columns."""
    from sklearn.ensemble import RandomForestClassifier

    train_scaled, test_scaled = _standardised(train, test)
    model = RandomForestClassifier(random_state=seed, n_jobs=-1).fit(train_scaled, positive)
    scores: NDArray[np.float64] = model.predict_proba(test_scaled)[:, 1]
    return scores


def perceptron(train: Matrix, positive: NDArray[np.bool_], test: Matrix, seed: int) -> NDArray[np.float64]:
    """All frauds and a sample of the genuine rows; sign-log and standardising inside the graph.

    Sampling moves all scores by one monotone map, which none of the metrics sees; so it is not corrected here.
    """
    from retrain.training.families.perceptron import limit_threads

    limit_threads()
    import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    positives, negative = np.flatnonzero(positive), np.flatnonzero(~positive)
    kept = rng.choice(negative, min(len(negative), GENUINE), replace=False)
    rows = rng.permutation(np.concatenate([positives, kept]))
    model = _network(train[rows], len(positives) / len(rows))
    batch = int(np.clip(len(rows) // STEPS, *BATCHES))
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, EPOCHS * -(-len(rows) // batch))
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY), loss="binary_crossentropy", steps_per_execution=16
    )
    model.fit(train[rows], positive[rows].astype(np.float32), batch_size=batch, epochs=EPOCHS, verbose=0)
    scores = np.asarray(model(test, training=False), dtype=np.float64)[:, 0]
    keras.backend.clear_session()
    return scores


MODELS = (
    Model("logistic-regression", logistic_regression, seeded=False),
    Model("random-forest", random_forest, seeded=False),
    Model("mlp", perceptron, seeded=True),
)


def _standardised(train: Matrix, test: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both by the training rows' mean and deviation."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train.astype(np.float64))
    return scaler.transform(train.astype(np.float64)), scaler.transform(test.astype(np.float64))


def _network(rows: Matrix, prior: float) -> keras.Model:
    """float32 [n, k] -> score [n, 1]; the last bias starts at the log-odds of ``prior``."""
    import keras
    from keras import ops

    logged = np.sign(rows) * np.log1p(np.abs(rows))
    deviation = logged.std(axis=0, dtype=np.float64)
    deviation[deviation < 1e-6] = 1.0
    inputs = keras.Input((rows.shape[1],), dtype="float32")
    x = ops.sign(inputs) * ops.log(1.0 + ops.absolute(inputs))
    x = keras.layers.Normalization(mean=logged.mean(axis=0, dtype=np.float64), variance=deviation**2)(x)
    x = ops.clip(x, -CLIP, CLIP)
    for width in HIDDEN:
        x = keras.layers.Dense(width, activation="relu")(x)
        x = keras.layers.Dropout(DROPOUT)(x)
    bias = keras.initializers.Constant(float(np.log(prior / (1 - prior))))
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", bias_initializer=bias)(x))
