from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from retrain.training.evaluate import average_precision, cost, evaluate, metrics, roc_auc, threshold_for_budget

#: Few distinct values, so that ties are common.
SCORES = arrays(np.float32, st.integers(2, 60), elements=st.integers(0, 12).map(lambda i: i / 12))


@given(SCORES, st.integers(0, 2**32 - 1))
def test_ranking_figures_agree_with_scikit_learn(scores: np.ndarray, seed: int) -> None:
    positive = np.random.default_rng(seed).random(len(scores)) < 0.4
    positive[0], positive[1] = True, False
    assert average_precision(scores, positive) == pytest.approx(average_precision_score(positive, scores))
    assert roc_auc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


@given(SCORES, st.floats(0.0, 1.0))
def test_the_threshold_spends_the_budget_and_no_more(scores: np.ndarray, budget: float) -> None:
    threshold = threshold_for_budget(scores, budget)
    allowed = max(int(len(scores) * budget), 1)
    alerts = int((scores >= threshold).sum())
    highest = int((scores == scores.max()).sum())
    assert 1 <= alerts <= max(allowed, highest)
    lower = scores[scores < threshold]
    if len(lower) and alerts <= allowed:
        assert int((scores >= lower.max()).sum()) > allowed


def test_cost_is_missed_fraud_and_the_review_of_alerts() -> None:
    alerts = np.array([True, True, False, False])
    positive = np.array([True, False, True, False])
    assert cost(alerts, positive, np.array([100_00, 5_00, 40_50, 7_00]), review_cost=5.0) == pytest.approx(40.5 + 10.0)


def test_an_evaluation_says_what_the_reviewers_would_have_caught() -> None:
    scores = np.array([0.9, 0.8, 0.3, 0.2], np.float32)
    positive = np.array([True, False, True, False])
    amount = np.array([10_00, 10_00, 20_00, 10_00])
    judged = evaluate(scores, positive, amount, review_budget=0.5, review_cost=1.0)
    assert judged.threshold == pytest.approx(0.8)
    assert (judged.alerts, judged.recall, judged.precision) == (2, 0.5, 0.5)
    assert (judged.cost, judged.cost_without_model) == (22.0, 30.0)
    # A champion keeps its own threshold, and is still compared at the budget.
    strict = evaluate(scores, positive, amount, 0.5, 1.0, threshold=0.85)
    assert (strict.alerts, strict.recall_at_budget) == (1, 0.5)


def test_what_is_not_defined_is_left_out_of_the_metrics() -> None:
    judged = evaluate(np.array([0.1, 0.2], np.float32), np.zeros(2, bool), np.ones(2, np.int64), 0.5, 1.0)
    assert judged.ap is None
    assert "ap" not in metrics(judged)
    assert metrics(judged)["positives"] == 0.0


def test_an_empty_holdout_and_a_broken_score_are_refused() -> None:
    nothing = np.empty(0)
    with pytest.raises(ValueError, match="empty"):
        evaluate(nothing.astype(np.float32), nothing.astype(bool), nothing.astype(np.int64), 0.5, 1.0)
    with pytest.raises(ValueError, match="finite"):
        evaluate(np.array([np.nan], np.float32), np.ones(1, bool), np.ones(1, np.int64), 0.5, 1.0)
