"""Why an alert: reason codes that an analyst can read, from the values in the vector."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base import names
from features.catalogue.vector import INDEX


class Rule(NamedTuple):
    """A code, and the features with the values that they must reach for it."""

    code: str
    reach: tuple[tuple[str, float], ...]


RULES: tuple[Rule, ...] = (
    Rule("IMPOSSIBLE_TRAVEL", (("speed_kmh", 900.0), ("distance_from_last_transaction", 50.0))),
    Rule("FAR_FROM_HOME", (("distance_from_home", 300.0),)),
    Rule("RAPID_REPEAT", (("count_10m", 4.0),)),
    Rule("MANY_IN_AN_HOUR", (("count_1h", 6.0),)),
    Rule("HIGH_FOR_CARD", (("ratio_to_mean_30d", 4.0),)),
    Rule("RISKY_TERMINAL", (("terminal_risk_7d", 0.1),)),
    Rule("ONLINE_AT_NIGHT", (("online_order", 1.0), ("night", 1.0))),
    Rule("CONTACTLESS_SERIES", (("entry_contactless", 1.0), ("count_1h", 3.0))),
)
for _rule in RULES:
    names.check(f"{__name__}.RULES, {_rule.code}", (name for name, _ in _rule.reach), INDEX, "column of the catalogue")


def reasons(vector: NDArray[np.float32]) -> tuple[list[str], dict[str, float]]:
    """The codes whose features all reach their values, and those features' values; ``MODEL_SCORE`` where none does."""
    codes: list[str] = []
    evidence: dict[str, float] = {}
    for rule in RULES:
        if all(vector[INDEX[name]] >= value for name, value in rule.reach):
            codes.append(rule.code)
            evidence.update({name: float(vector[INDEX[name]]) for name, _ in rule.reach})
    return codes or ["MODEL_SCORE"], evidence
