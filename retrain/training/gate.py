"""Whether a new model may be rolled out: a pure function of two evaluations on the same events."""

from __future__ import annotations

from dataclasses import dataclass

from features.base.active import DOMAIN, WORDS
from retrain.training.evaluate import Evaluation

MIN_LIFT = DOMAIN.gate.min_lift


@dataclass(frozen=True)
class Limits:
    """What the gate asks: AP at most ``max_ap_loss`` under the champion's, and ``min_positives`` to judge by."""

    max_ap_loss: float
    min_positives: int


@dataclass(frozen=True)
class Verdict:
    """``reason`` is one sentence for people."""

    passed: bool
    reason: str


def gate(candidate: Evaluation, champion: Evaluation | None, limits: Limits) -> Verdict:
    """Judge ``candidate``; ``champion`` is None where there is none, or none that reads these vectors.

    Both evaluations must be of the same holdout. What cannot be measured does not pass.
    """
    if candidate.positives < limits.min_positives:
        return Verdict(
            False,
            f"the holdout has {candidate.positives} {WORDS.positives}, fewer than {limits.min_positives}: too few to judge by",
        )
    if candidate.ap is None:
        return Verdict(False, f"the holdout has no {WORDS.negative} {WORDS.events}: AP is not defined")
    if candidate.ap < MIN_LIFT * candidate.prevalence:
        chance = f"{MIN_LIFT:g} times the share of {WORDS.positives} ({candidate.prevalence:.4f})"
        return Verdict(False, f"AP {candidate.ap:.3f} is below {chance}: little better than chance")
    if champion is None:
        return Verdict(True, f"AP {candidate.ap:.3f} on {candidate.positives} {WORDS.positives}, and no champion to compare with")
    if (champion.rows, champion.positives) != (candidate.rows, candidate.positives):
        raise ValueError("candidate and champion were judged on different holdouts")
    # Both classes are there, so the champion's AP is defined as well.
    before = champion.ap or 0.0
    compared = f"AP {candidate.ap:.3f} against the champion's {before:.3f} on the same {candidate.positives} {WORDS.positives}"
    if candidate.ap < before - limits.max_ap_loss:
        return Verdict(False, f"{compared}: more than {limits.max_ap_loss:g} worse")
    return Verdict(True, compared)
