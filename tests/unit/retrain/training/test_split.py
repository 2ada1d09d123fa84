from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.base.durations import DAY_MS
from retrain.training.split import by_time, in_share, subject_hash

DAYS = 40


def _rows(seed: int, n: int = 2000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(0, DAYS * DAY_MS, n))
    return time, subject_hash(f"c{i}" for i in rng.integers(0, 200, n)), rng.random(n) < 0.9


@given(st.integers(0, 1000), st.floats(0.05, 0.6), st.floats(0.1, 1.0))
def test_judged_rows_are_settled_known_late_and_never_learned_from(seed: int, share: float, subjects: float) -> None:
    time, subject, known = _rows(seed)
    settled_ms = 33 * DAY_MS
    split = by_time(time, subject, known, settled_ms, share, subjects)
    assert not (split.train & split.holdout).any()
    assert (time[split.holdout] <= settled_ms).all()
    assert (time[split.holdout] > split.holdout_start_ms).all()
    assert known[split.holdout].all()
    # From the holdout's start on, a card is either judged or learned from.
    late = time > split.holdout_start_ms
    assert not np.intersect1d(subject[split.holdout], subject[split.train & late]).size


def test_the_holdout_spans_the_newest_share_of_event_time() -> None:
    time, subject, known = _rows(1)
    split = by_time(time, subject, known, DAYS * DAY_MS, 0.25, 1.0)
    assert split.holdout_start_ms == pytest.approx(30 * DAY_MS, rel=0.01)
    assert (time[split.train] <= split.holdout_start_ms).all()


def test_rows_younger_than_the_label_delay_are_learned_from_on_the_other_cards() -> None:
    time, subject, known = _rows(2)
    split = by_time(time, subject, known, 33 * DAY_MS, 0.25, 0.5)
    assert split.train[time > 33 * DAY_MS].mean() == pytest.approx(0.5, abs=0.1)


@given(st.integers(0, 1000), st.floats(0.0, 12.0))
def test_no_earlier_model_has_learned_from_what_it_is_judged_on(seed: int, later_days: float) -> None:
    time, subject, known = _rows(seed)
    end_ms = 28 * DAY_MS
    before = time <= end_ms
    champion = by_time(time[before], subject[before], known[before], end_ms - 7 * DAY_MS, 0.25, 0.5)
    learned = np.zeros(len(time), bool)
    learned[before] = champion.train
    challenger = by_time(time, subject, known, end_ms + int((later_days - 7) * DAY_MS), 0.25, 0.5)
    assert not (learned & challenger.holdout).any()


def test_a_window_without_a_settled_event_is_refused() -> None:
    time, subject, known = _rows(3)
    with pytest.raises(ValueError, match="label delay"):
        by_time(time, subject, known, -1, 0.25, 0.5)


def test_a_share_of_cards_is_about_that_share_and_salts_differ() -> None:
    subject = subject_hash(f"c{i}" for i in range(20_000))
    first, second = in_share(subject, 0.3, salt=1), in_share(subject, 0.3, salt=2)
    assert first.mean() == pytest.approx(0.3, abs=0.02)
    assert (first & second).mean() == pytest.approx(0.09, abs=0.02)
    assert in_share(subject, 1.0, salt=1).all()
