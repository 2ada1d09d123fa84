"""Which columns are watched for drift, and in which form they are compared.

A window of a day is compared with weeks of training data, so a column is watched only where one day is a fair sample of
many: no calendar columns (a Sunday differs from a month by nature), none that remember more than a day of the subject (they
grow with the history and move days after their cause), and no counterpart columns (they move with the labels, and labels
are what the performance monitor watches).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN, ROLES
from features.catalogue import vector

if TYPE_CHECKING:
    import pandas as pd

#: Compared as log(1 + x): measures, counts, gaps and distances have tails that would rule an untransformed distance.
NUMERIC: tuple[str, ...] = DOMAIN.watched

_COLUMNS = DOMAIN.columns
#: Columns of the vector, 0/1, one a mode, in the order of the modes.
MODE_NAMES: tuple[str, ...] = _COLUMNS.modes
_MODE_COLUMNS = [vector.INDEX[name] for name in MODE_NAMES]
_MODE_LABELS = np.array([*ROLES.modes, "unknown"], dtype=object)
_YES_NO = np.array(["no", "yes", "unknown"], dtype=object)

#: A score is compared as log-odds: nearly all scores lie near 0, where the odds still tell them apart.
_SCORE_EPSILON = 1e-5


def mode_codes(features: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the mode of each row of ``features`` [n, WIDTH] as an index into MODE_NAMES; its length where it is unknown."""
    one_hot = features[:, _MODE_COLUMNS]
    if not MODE_NAMES:
        return np.zeros(len(features), dtype=np.intp)
    return np.where(one_hot.any(axis=1), one_hot.argmax(axis=1), len(MODE_NAMES))


def _modes(features: NDArray[np.float32]) -> NDArray[np.object_]:
    labels: NDArray[np.object_] = _MODE_LABELS[mode_codes(features)]
    return labels


def _yes_no(column: str) -> Callable[[NDArray[np.float32]], NDArray[np.object_]]:
    at = vector.INDEX[column]

    def labels_of(features: NDArray[np.float32]) -> NDArray[np.object_]:
        values = features[:, at]
        labels: NDArray[np.object_] = _YES_NO[np.where(values < 0, 2, values).astype(int)]
        return labels

    return labels_of


def _categorical() -> dict[str, Callable[[NDArray[np.float32]], NDArray[np.object_]]]:
    decoders: dict[str, Callable[[NDArray[np.float32]], NDArray[np.object_]]] = {}
    if ROLES.mode is not None and MODE_NAMES:
        decoders[ROLES.mode] = _modes
    if ROLES.flag is not None and _COLUMNS.flag is not None:
        decoders[ROLES.flag] = _yes_no(_COLUMNS.flag)
    if _COLUMNS.located is not None:
        decoders[_COLUMNS.located] = _yes_no(_COLUMNS.located)
    return decoders


_LABELS = _categorical()
#: Compared as shares of categories; the one-hot columns of the modes are one question, so they count once.
CATEGORICAL: tuple[str, ...] = tuple(_LABELS)
SCORE = "score"
WATCHED: tuple[str, ...] = (*NUMERIC, *CATEGORICAL, SCORE)


def frame(features: NDArray[np.float32], scores: NDArray[np.float32]) -> pd.DataFrame:
    """Return the watched columns of ``features`` [n, WIDTH] and ``scores`` [n], transformed; what is missing is NaN.

    Known values are compared with known ones: a share of missing values says something else, and the fault rules watch it.
    """
    import pandas as pd

    columns: dict[str, NDArray[np.float64] | NDArray[np.object_]] = {}
    for name in NUMERIC:
        values = features[:, vector.INDEX[name]].astype(np.float64)
        missing = vector.FEATURES[vector.INDEX[name]].missing
        known = values != missing if missing != 0.0 else np.ones(len(values), dtype=bool)
        columns[name] = np.where(known, np.log1p(np.maximum(values, 0.0)), np.nan)
    for name, labels_of in _LABELS.items():
        columns[name] = labels_of(features)
    clipped = np.clip(scores.astype(np.float64), _SCORE_EPSILON, 1.0 - _SCORE_EPSILON)
    columns[SCORE] = np.log(clipped / (1.0 - clipped))
    return pd.DataFrame(columns)
