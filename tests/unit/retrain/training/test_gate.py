from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.training.evaluate import Evaluation
from retrain.training.gate import MIN_LIFT, Limits, gate

LIMITS = Limits(max_ap_loss=0.02, min_positives=10)
APS = st.floats(0.0, 1.0)


def _evaluation(ap: float | None, positives: int = 50, rows: int = 10_000) -> Evaluation:
    return Evaluation(
        rows=rows,
        positives=positives,
        prevalence=positives / rows,
        ap=ap,
        roc_auc=None,
        threshold=0.5,
        alerts=50,
        recall=0.5,
        precision=0.5,
        recall_at_budget=0.5,
        cost=1.0,
        cost_without_model=2.0,
    )


@given(APS, APS)
def test_what_passes_is_never_worse_than_the_champion_by_more_than_the_limit(new: float, old: float) -> None:
    candidate = _evaluation(new)
    verdict = gate(candidate, _evaluation(old), LIMITS)
    assert verdict.passed == (new >= MIN_LIFT * candidate.prevalence and new >= old - LIMITS.max_ap_loss)
    assert verdict.reason


@given(APS, APS, APS)
def test_a_better_model_passes_wherever_a_worse_one_does(precision: float, other: float, champion: float) -> None:
    low, high = sorted((precision, other))
    if gate(_evaluation(low), _evaluation(champion), LIMITS).passed:
        assert gate(_evaluation(high), _evaluation(champion), LIMITS).passed


@given(APS, st.integers(0, 9))
def test_too_few_frauds_never_pass(ap: float, positives: int) -> None:
    verdict = gate(_evaluation(ap if positives else None, positives), None, LIMITS)
    assert not verdict.passed
    assert str(positives) in verdict.reason


def test_the_first_model_needs_no_champion() -> None:
    assert gate(_evaluation(0.5), None, LIMITS).passed
    assert "chance" in gate(_evaluation(0.01), None, LIMITS).reason


def test_a_holdout_of_frauds_only_does_not_pass() -> None:
    assert not gate(_evaluation(None, positives=50, rows=50), None, LIMITS).passed


def test_different_holdouts_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different holdouts"):
        gate(_evaluation(0.5), msgspec.structs.replace(_evaluation(0.5), rows=9_999), LIMITS)
