"""What an outcome says, and of whom it has it."""

from __future__ import annotations

from features.base.events import Outcome
from streams.labels.outcomes import JoinedEvent, JoinedScore, labelled, matured
from tests.unit.streams.records import HOUR, T0, label

SCORE = JoinedScore(JoinedEvent("x", T0, "c", "t", 1234), 0.25, 0.9, "v1", True)


def test_of_the_payment_the_score_is_believed_and_of_the_fraud_the_label() -> None:
    wrong = label("x", T0 + 1, True, T0 + HOUR, subject="another", counterpart="other")
    assert labelled(wrong, SCORE, T0 + HOUR, revision=3) == Outcome(
        "x", "c", "t", T0, T0 + HOUR, True, "chargeback",
        measure=1234, score=0.25, threshold=0.9, model_version="v1", unusual=True, revision=3,
    )  # fmt: skip


def test_an_outcome_has_what_was_counted() -> None:
    """Hundredths of the reference unit, so that outcomes of several units can be summed."""
    in_yen = JoinedScore(JoinedEvent("x", T0, "c", "t", 5000), reference_measure=3035)
    marked = JoinedScore(JoinedEvent("x", T0, "c", "t", 5000), measure_unknown=True)
    for score, counted in ((in_yen, 3035), (marked, None)):
        assert labelled(label("x", T0, True, T0 + HOUR), score, T0 + HOUR, revision=1).measure == counted
        assert matured(score, T0 + HOUR).measure == counted


def test_without_a_score_the_label_is_all_there_is() -> None:
    alone = label("x", T0 + 1, True, T0 + HOUR, subject="another", counterpart="other")
    assert labelled(alone, None, T0 + 2 * HOUR, revision=1, late=True) == Outcome(
        "x", "another", "other", T0 + 1, T0 + 2 * HOUR, True, "chargeback", late=True, revision=1
    )


def test_what_matures_is_genuine() -> None:
    assert matured(SCORE, T0 + HOUR) == Outcome(
        "x", "c", "t", T0, T0 + HOUR, False, "matured",
        measure=1234, score=0.25, threshold=0.9, model_version="v1", unusual=True,
    )  # fmt: skip
