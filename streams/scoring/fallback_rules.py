"""Scores by a few rules, for as long as there is no model server (``scoring.fallback = "rules"``).

Each rule that holds leaves ``1 - weight`` of the chance that the event is negative; the score is what is taken away. They are
meant to catch the plain cases and to stay quiet otherwise; they are no model, and scores made by them say so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN
from features.base.model_client import Prediction
from features.catalogue.vector import INDEX

NAME = "rules"
VERSION = DOMAIN.fallback.version
THRESHOLD = DOMAIN.fallback.threshold
RULES = DOMAIN.fallback.rules


def predict(vectors: NDArray[np.float32]) -> Prediction:
    """Return the scores of ``vectors`` float32 [n, k]; the same prediction as a model's, with VERSION and THRESHOLD."""
    negative = np.ones(len(vectors), dtype=np.float32)
    for rule in RULES:
        negative *= np.where(vectors[:, INDEX[rule.column]] >= rule.value, np.float32(1 - rule.weight), np.float32(1))
    return Prediction(1 - negative, THRESHOLD, VERSION)
