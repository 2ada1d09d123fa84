"""Which columns are watched for drift, and in which form they are compared.

A window of a day is compared with weeks of training data, so a column is watched only where one day is a fair sample of
many: no calendar columns (a Sunday differs from a month by nature), none that remember more than a day of the card (they
grow with the history and move days after their cause), and no terminal columns (they move with the labels, and labels
are what the performance monitor watches).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.base import names
from features.base.events import ENTRY_MODES
from features.catalogue import vector

if TYPE_CHECKING:
    import pandas as pd

#: Few and each its own question: a window drifted by the share of these columns.
#: Compared as log(1 + x): amounts, counts, gaps and distances have tails that would rule an untransformed distance.
NUMERIC: tuple[str, ...] = (
    "amount",
    "count_1d",
    "sum_1d",
    "mean_1d",
    "ratio_to_mean_30d",
    "seconds_since_last",
    "distance_from_last_transaction",
    "distance_from_home",
    "ratio_to_usual_amount",
)
names.check(f"{__name__}.NUMERIC", NUMERIC, vector.INDEX, "column of the catalogue")

#: Columns of the vector, in the order of ENTRY_MODES.
ENTRY_NAMES: tuple[str, ...] = ("used_chip", "entry_contactless", "entry_swipe", "entry_manual", "online_order")
names.check(f"{__name__}.ENTRY_NAMES", ENTRY_NAMES, vector.INDEX, "column of the catalogue")
ENTRY_COLUMNS = [vector.INDEX[name] for name in ENTRY_NAMES]
_PIN, _LOCATED = vector.INDEX["used_pin_number"], vector.INDEX["has_location"]
_ENTRY_LABELS = np.array([*ENTRY_MODES, "unknown"], dtype=object)
_YES_NO = np.array(["no", "yes", "unknown"], dtype=object)

#: A score is compared as log-odds: nearly all scores lie near 0, where the odds still tell them apart.
_SCORE_EPSILON = 1e-5


def entry_codes(features: NDArray[np.float32]) -> NDArray[np.intp]:
    """Entry mode of each row of ``features`` [n, WIDTH] as an index into ENTRY_NAMES; its length where it is unknown."""
    one_hot = features[:, ENTRY_COLUMNS]
    return np.where(one_hot.any(axis=1), one_hot.argmax(axis=1), len(ENTRY_NAMES))


def _entry_mode(features: NDArray[np.float32]) -> NDArray[np.object_]:
    labels: NDArray[np.object_] = _ENTRY_LABELS[entry_codes(features)]
    return labels


def _pin_used(features: NDArray[np.float32]) -> NDArray[np.object_]:
    pin = features[:, _PIN]
    labels: NDArray[np.object_] = _YES_NO[np.where(pin < 0, 2, pin).astype(int)]
    return labels


def _has_location(features: NDArray[np.float32]) -> NDArray[np.object_]:
    labels: NDArray[np.object_] = _YES_NO[features[:, _LOCATED].astype(int)]
    return labels


_LABELS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.object_]]] = {
    "entry_mode": _entry_mode,
    "pin_used": _pin_used,
    "has_location": _has_location,
}
#: Compared as shares of categories; the one-hot entry columns are one question, so they count once.
CATEGORICAL: tuple[str, ...] = tuple(_LABELS)
SCORE = "score"
WATCHED: tuple[str, ...] = (*NUMERIC, *CATEGORICAL, SCORE)


def frame(features: NDArray[np.float32], scores: NDArray[np.float32]) -> pd.DataFrame:
    """The watched columns of ``features`` [n, WIDTH] and ``scores`` [n], transformed; what is missing is NaN.

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
