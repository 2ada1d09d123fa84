"""Whether a new model may be rolled out: a pure function of two evaluations on the same events."""

from __future__ import annotations

from dataclasses import dataclass

from retrain.training.evaluate import Evaluation

#: A model whose AP is below this many times the share of fraud has learned next to nothing.
MIN_LIFT = 3.0


@dataclass(frozen=True)
class Limits:
    """What the gate asks: AP at most ``max_ap_loss`` under the champion's, and ``min_frauds`` to judge by."""

    max_ap_loss: float
    min_frauds: int


@dataclass(frozen=True)
class Verdict:
    """``reason`` is one sentence for people."""

    passed: bool
    reason: str


def gate(candidate: Evaluation, champion: Evaluation | None, limits: Limits) -> Verdict:
    """Judge ``candidate``; ``champion`` is None where there is none, or none that reads these vectors.

    Both evaluations must be of the same holdout. What cannot be measured does not pass.
    """
    if candidate.frauds < limits.min_frauds:
        return Verdict(False, f"the holdout has {candidate.frauds} frauds, fewer than {limits.min_frauds}: too few to judge by")
    if candidate.ap is None:
        return Verdict(False, "the holdout has no genuine events: AP is not defined")
    if candidate.ap < MIN_LIFT * candidate.prevalence:
        chance = f"{MIN_LIFT:g} times the share of fraud ({candidate.prevalence:.4f})"
        return Verdict(False, f"AP {candidate.ap:.3f} is below {chance}: little better than chance")
    if champion is None:
        return Verdict(True, f"AP {candidate.ap:.3f} on {candidate.frauds} frauds, and no champion to compare with")
    if (champion.rows, champion.frauds) != (candidate.rows, candidate.frauds):
        raise ValueError("candidate and champion were judged on different holdouts")
    # Both classes are there, so the champion's AP is defined as well.
    before = champion.ap or 0.0
    compared = f"AP {candidate.ap:.3f} against the champion's {before:.3f} on the same {candidate.frauds} frauds"
    if candidate.ap < before - limits.max_ap_loss:
        return Verdict(False, f"{compared}: more than {limits.max_ap_loss:g} worse")
    return Verdict(True, compared)
