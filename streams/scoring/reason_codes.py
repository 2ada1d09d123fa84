"""Why an alert: reason codes that an analyst can read, from the values in the vector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN
from features.catalogue.vector import INDEX

RULES = DOMAIN.reasons


def reasons(vector: NDArray[np.float32]) -> tuple[list[str], dict[str, float]]:
    """Return the codes whose features all reach their values, and those features' values; ``MODEL_SCORE`` where none does."""
    codes: list[str] = []
    evidence: dict[str, float] = {}
    for rule in RULES:
        if all(vector[INDEX[reach.column]] >= reach.value for reach in rule.reach):
            codes.append(rule.code)
            evidence.update({reach.column: float(vector[INDEX[reach.column]]) for reach in rule.reach})
    return codes or ["MODEL_SCORE"], evidence
