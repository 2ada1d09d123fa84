"""Which columns are watched for drift, and in which form they are compared.

A window of a day is compared with weeks of training data, so a column is watched only where one day is a fair sample of
many: no calendar columns (a Sunday differs from a month by nature), none that remember more than a day of the card (they
grow with the history and move days after their cause), and no terminal columns (they move with the labels, and labels
are what the performance monitor watches).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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
#: Compared as shares of categories; the one-hot entry columns are one question, so they count once.
CATEGORICAL: tuple[str, ...] = ("entry_mode", "pin_used", "has_location")
SCORE = "score"
WATCHED: tuple[str, ...] = (*NUMERIC, *CATEGORICAL, SCORE)

ENTRY_NAMES: tuple[str, ...] = ("used_chip", "entry_contactless", "entry_swipe", "entry_manual", "online_order")
ENTRY_COLUMNS = [vector.INDEX[name] for name in ENTRY_NAMES]
_ENTRY_LABELS = np.array([*ENTRY_MODES, "unknown"], dtype=object)
_YES_NO = np.array(["no", "yes", "unknown"], dtype=object)

#: A score is compared as log-odds: nearly all scores lie near 0, where the odds still tell them apart.
_SCORE_EPSILON = 1e-5


def entry_codes(features: NDArray[np.float32]) -> NDArray[np.intp]:
    """Entry mode of each row of ``features`` [n, WIDTH] as an index into ENTRY_NAMES; its length where it is unknown."""
    one_hot = features[:, ENTRY_COLUMNS]
    return np.where(one_hot.any(axis=1), one_hot.argmax(axis=1), len(ENTRY_NAMES))


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
    columns["entry_mode"] = _ENTRY_LABELS[entry_codes(features)]
    pin = features[:, vector.INDEX["used_pin_number"]]
    columns["pin_used"] = _YES_NO[np.where(pin < 0, 2, pin).astype(int)]
    columns["has_location"] = _YES_NO[features[:, vector.INDEX["has_location"]].astype(int)]
    clipped = np.clip(scores.astype(np.float64), _SCORE_EPSILON, 1.0 - _SCORE_EPSILON)
    columns[SCORE] = np.log(clipped / (1.0 - clipped))
    return pd.DataFrame(columns)
