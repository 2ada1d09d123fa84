"""What really happened, kept aside while it is published: the measure of every score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS
from infra.demo.collect import Scores
from streams.publish.batch import Batch


@dataclass
class Truth:
    """The positives among what was published, with the pattern of each."""

    pattern_of: dict[str, str] = field(default_factory=dict)

    def watch(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Hand the batches on, remembering the positive ones."""
        for batch in batches:
            for row in np.flatnonzero(batch.truth.positive):
                self.pattern_of[batch.transactions.event_id[row]] = batch.truth.names[batch.truth.pattern[row]]
            yield batch

    def of(self, scores: Scores) -> NDArray[np.bool_]:
        """Tell whether each scored event is positive, bool [n]."""
        known = self.pattern_of
        return np.array([t in known for t in scores.event_id], dtype=np.bool_)


def average_precision(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Return AP over the rows that have a score; NaN without a positive among them."""
    from sklearn.metrics import average_precision_score

    scored = ~np.isnan(score)
    if not positive[scored].any():
        return float("nan")
    return float(average_precision_score(positive[scored], score[scored]))


@dataclass(frozen=True)
class Daily:
    """One day of event time: AP, and subject precision@100."""

    day_ms: int
    transactions: int
    positives: int
    ap: float
    cp100: float


def daily(scores: Scores, positive: NDArray[np.bool_]) -> list[Daily]:
    """Return AP and subject precision@100 for each day with scores.

    Subject precision@100 (docs/glossary.md): of the 100 subjects with the highest score of a day, the share that truly has a
    positive, subjects found on an earlier day left out.
    """
    days = scores.event_time_ms // DAY_MS
    known: set[str] = set()
    rows: list[Daily] = []
    for day in np.unique(days):
        here = (days == day) & ~np.isnan(scores.score)
        if not here.any():
            continue
        subjects, score, truly = scores.subject[here], scores.score[here], positive[here]
        best: dict[str, tuple[float, bool]] = {}
        for subject, value, bad in zip(subjects, score, truly, strict=True):
            if subject not in known:
                before = best.get(subject, (-1.0, False))
                best[subject] = (max(before[0], value), before[1] or bool(bad))
        top = sorted(best.items(), key=lambda item: -item[1][0])[:100]
        caught = [subject for subject, (_, bad) in top if bad]
        known.update(caught)
        rows.append(Daily(int(day) * DAY_MS, len(score), int(truly.sum()), average_precision(truly, score), len(caught) / 100))
    return rows
