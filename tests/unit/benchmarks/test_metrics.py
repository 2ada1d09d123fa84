"""Metrics on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.handbook.metrics import card_precision, judge


def test_auc_and_ap_by_hand() -> None:
    # From the top: fraud, genuine, fraud, genuine. Precision at the frauds 1/1 and 2/3; of 4 pairs 3 are in order.
    scores = np.array([0.9, 0.8, 0.7, 0.1])
    positive = np.array([True, False, True, False])
    judged = judge(scores, positive, np.arange(4), np.zeros(4, dtype=np.int64))
    assert judged.ap == pytest.approx((1 + 2 / 3) / 2)
    assert judged.auc == pytest.approx(3 / 4)
    assert judged.cp100 == pytest.approx(2 / 100)


def test_a_card_counts_once_a_day_with_its_highest_score_and_label() -> None:
    # Card 0 is highest by a genuine transaction, but was defrauded that day by another one.
    scores = np.array([0.9, 0.1, 0.8, 0.7])
    positive = np.array([False, True, False, True])
    subject = np.array([0, 0, 1, 2])
    day = np.zeros(4, dtype=np.int64)
    assert card_precision(scores, positive, subject, day, k=1) == 1.0
    assert card_precision(scores, positive, subject, day, k=2) == 0.5
    assert card_precision(scores, positive, subject, day, k=3) == pytest.approx(2 / 3)


def test_a_card_found_is_out_from_the_next_day_on_and_one_missed_is_not() -> None:
    # Day 0: card 0 found, card 1 (fraud) missed with k = 1. Day 1: card 0 is out, so card 1 is on top, found. Day 2: nobody left
    # but genuine card 2.
    scores = np.array([0.9, 0.5, 0.9, 0.5, 0.9, 0.5, 0.4])
    positive = np.array([True, True, True, True, True, True, False])
    subject = np.array([0, 1, 0, 1, 0, 1, 2])
    day = np.array([0, 0, 1, 1, 2, 2, 2])
    assert card_precision(scores, positive, subject, day, k=1) == pytest.approx((1 + 1 + 0) / 3)


def test_equal_scores_do_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 4, 300) / 4
    positive, subject, day = rng.random(300) < 0.2, rng.integers(0, 60, 300), rng.integers(0, 3, 300)
    expected = card_precision(scores, positive, subject, day, k=10)
    shuffled = rng.permutation(300)
    assert card_precision(scores[shuffled], positive[shuffled], subject[shuffled], day[shuffled], k=10) == expected
