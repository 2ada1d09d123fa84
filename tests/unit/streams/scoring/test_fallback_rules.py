"""The rules: quiet on plain payments, an alert where two of them meet."""

from __future__ import annotations

import numpy as np

from features.catalogue.vector import INDEX, WIDTH
from streams.scoring.fallback_rules import RULES, THRESHOLD, predict


def test_no_rule_no_suspicion_and_two_rules_an_alert() -> None:
    vectors = np.zeros((3, WIDTH), dtype=np.float32)
    vectors[1, INDEX["count_10m"]] = 4
    vectors[2, INDEX["count_10m"]] = 9
    vectors[2, INDEX["speed_kmh"]] = 5000
    scores = predict(vectors).scores
    assert scores[0] == 0
    assert 0 < scores[1] < THRESHOLD < scores[2] < 1


def test_all_rules_together_stay_below_one() -> None:
    vectors = np.zeros((1, WIDTH), dtype=np.float32)
    for rule in RULES:
        vectors[0, INDEX[rule.column]] = rule.value
    assert 0.9 < predict(vectors).scores[0] < 1
