"""ROC AUC, average precision, and the card precision of a team that can look at k cards a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

CARDS_A_DAY = 100


@dataclass(frozen=True, slots=True)
class Scores:
    """One model on the test rows."""

    auc: float
    ap: float
    cp100: float


def judge(scores: NDArray[np.float64], positive: NDArray[np.bool_], subject: NDArray[np.int64], day: NDArray[np.int64]) -> Scores:
    """All three, over n test rows."""
    return Scores(
        auc=float(roc_auc_score(positive, scores)),
        ap=float(average_precision_score(positive, scores)),
        cp100=card_precision(scores, positive, subject, day, CARDS_A_DAY),
    )


def card_precision(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], subject: NDArray[np.int64], day: NDArray[np.int64], k: int
) -> float:
    """Mean over the days of: compromised cards among the ``k`` cards with the highest score, divided by ``k``.

    A card's score and label of a day are the highest of its transactions. A compromised card that was among the ``k`` is out
    from the next day on. Equal scores go by card number, so that the figure does not depend on the order of rows.
    """
    known = np.zeros(int(subject.max()) + 1, dtype=np.bool_)
    daily = []
    for today in np.unique(day):
        rows = np.flatnonzero((day == today) & ~known[subject])
        subjects, place = np.unique(subject[rows], return_inverse=True)
        highest = np.full(len(subjects), -np.inf)
        np.maximum.at(highest, place, scores[rows])
        compromised = np.zeros(len(subjects), dtype=np.bool_)
        np.logical_or.at(compromised, place, positive[rows])
        top = np.argsort(-highest, kind="stable")[:k]
        caught = subjects[top[compromised[top]]]
        known[caught] = True
        daily.append(len(caught) / k)
    return float(np.mean(daily))
