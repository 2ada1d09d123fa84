"""Scores by a few rules, for as long as there is no model server (``scoring.fallback = "rules"``).

Each rule that holds leaves ``1 - weight`` of the chance that the payment is genuine; the score is what is taken away. They are
meant to catch the plain cases and to stay quiet otherwise; they are no model, and scores made by them say so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base import names
from features.base.model_client import Prediction
from features.catalogue.vector import INDEX

NAME = "rules"
VERSION = "rules-1"
THRESHOLD = 0.5
#: A column is at least so high: how much that says.
RULES: tuple[tuple[str, float, float], ...] = (
    ("amount_above_limit", 1.0, 0.6),
    ("ratio_to_robust_mean", 5.0, 0.4),
    ("terminal_unexplained_7d", 1.0, 0.5),
    ("count_10m", 4.0, 0.4),
    ("speed_kmh", 1000.0, 0.4),
)
names.check(f"{__name__}.RULES", (column for column, _, _ in RULES), INDEX, "column of the catalogue")


def predict(vectors: NDArray[np.float32]) -> Prediction:
    """Scores of ``vectors`` float32 [n, k]; the same prediction as a model's, with VERSION and THRESHOLD."""
    genuine = np.ones(len(vectors), dtype=np.float32)
    for column, least, weight in RULES:
        genuine *= np.where(vectors[:, INDEX[column]] >= least, np.float32(1 - weight), np.float32(1))
    return Prediction(1 - genuine, THRESHOLD, VERSION)
