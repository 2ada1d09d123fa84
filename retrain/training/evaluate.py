"""How good a model is on labelled events: ranking, what a review team would catch, and what it costs."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.base.active import DOMAIN


class Evaluation(msgspec.Struct, frozen=True):
    """One model on one holdout. Costs are in units of the measure. ``ap`` and ``roc_auc`` are None where a class is missing.

    ``alerts``, ``recall``, ``precision`` and ``cost`` are at ``threshold``; ``recall_at_budget`` is at the review budget,
    whatever the threshold, so that two models compare.
    """

    rows: int
    positives: int
    prevalence: float
    ap: float | None
    roc_auc: float | None
    threshold: float
    alerts: int
    recall: float
    precision: float
    recall_at_budget: float
    cost: float
    cost_without_model: float


def evaluate(
    scores: NDArray[np.float32],
    positive: NDArray[np.bool_],
    measure: NDArray[np.int64],
    review_budget: float,
    review_cost: float,
    threshold: float | None = None,
) -> Evaluation:
    """Judge ``scores`` [n] against the truth [n]; without a ``threshold``, take the one that spends the review budget.

    Raises ValueError on an empty holdout or a score that is not finite.
    """
    if len(scores) == 0:
        raise ValueError("the holdout is empty")
    if not np.isfinite(scores).all():
        raise ValueError("the model gave a score that is not finite")
    budget = threshold_for_budget(scores, review_budget)
    chosen = budget if threshold is None else threshold
    positives = int(positive.sum())
    alerts = scores >= chosen
    caught = int((alerts & positive).sum())
    two_classes = 0 < positives < len(scores)
    return Evaluation(
        rows=len(scores),
        positives=positives,
        prevalence=positives / len(scores),
        ap=average_precision(scores, positive) if two_classes else None,
        roc_auc=roc_auc(scores, positive) if two_classes else None,
        threshold=chosen,
        alerts=int(alerts.sum()),
        recall=caught / positives if positives else 0.0,
        precision=caught / int(alerts.sum()) if alerts.any() else 0.0,
        recall_at_budget=int(((scores >= budget) & positive).sum()) / positives if positives else 0.0,
        cost=cost(alerts, positive, measure, review_cost),
        cost_without_model=cost(np.zeros_like(alerts), positive, measure, review_cost),
    )


def cost(alerts: NDArray[np.bool_], positive: NDArray[np.bool_], measure: NDArray[np.int64], review_cost: float) -> float:
    """Return what the missed positives cost (``features.base.domain.Gate``) plus ``review_cost`` for each alert."""
    missed = positive & ~alerts
    by_measure = DOMAIN.gate.cost_of_missed == "measure"
    lost = int(measure[missed].sum()) / DOMAIN.parameters.unit if by_measure else float(missed.sum())
    return lost + float(alerts.sum()) * review_cost


def threshold_for_budget(scores: NDArray[np.float32], review_budget: float) -> float:
    """Return the lowest score at which at most ``review_budget`` of the events are alerts (score >= threshold), but one at least.

    Equal scores stand or fall together: where they would break the budget, the next higher score is taken; where even the
    highest score is shared by too many, that one.
    """
    allowed = max(int(len(scores) * review_budget), 1)
    values, counts = np.unique(scores, return_counts=True)
    above = np.cumsum(counts[::-1])[::-1]
    fits = np.flatnonzero(above <= allowed)
    return float(values[fits[0]] if len(fits) else values[-1])


def metrics(evaluation: Evaluation) -> dict[str, float]:
    """Return the figures of an evaluation that exist, as a flat mapping for manifests and events."""
    values: dict[str, float | int | None] = msgspec.structs.asdict(evaluation)
    return {name: float(value) for name, value in values.items() if value is not None}


def average_precision(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    """Return the sum over the distinct scores, from the top, of precision times the recall gained there. Needs a positive."""
    caught, alerts = _from_the_top(scores, positive)
    return float(np.sum(caught / alerts * np.diff(caught, prepend=0)) / caught[-1])


def roc_auc(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    """Return the chance that a positive scores above a negative event, ties counting half. Needs both classes."""
    caught, alerts = _from_the_top(scores, positive)
    true = np.concatenate([[0.0], caught / caught[-1]])
    false = np.concatenate([[0.0], (alerts - caught) / (alerts[-1] - caught[-1])])
    return float(np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2))


def _from_the_top(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the positives and the events at or above each distinct score, highest first."""
    order = np.argsort(-scores, kind="stable")
    last_of_score = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    return np.cumsum(positive[order])[last_of_score], last_of_score + 1
