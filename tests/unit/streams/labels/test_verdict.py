"""Which label counts: by hand, and whatever the order in which labels come."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.base.events import Label
from streams.labels.verdict import SILENCE, Verdict, after, kind
from tests.unit.streams.records import DAY, T0, label


def labelled(positive: bool, day: int) -> Label:
    return label("x", T0, positive, T0 + day * DAY)


def of(labels: list[Label] | tuple[Label, ...], corrects: bool = True) -> Verdict:
    verdict = SILENCE
    for one_more in labels:
        verdict = after(verdict, one_more, corrects)
    return verdict


@pytest.mark.parametrize(
    ("labels", "positive", "revision"),
    [
        ([], False, 0),
        ([(False, 1)], False, 0),
        ([(True, 1)], True, 1),
        ([(True, 1), (False, 3)], False, 2),
        ([(True, 1), (False, 3), (True, 5)], True, 3),
        ([(True, 1), (True, 5), (False, 3)], True, 1),
        ([(False, 3), (True, 1)], False, 0),
        ([(True, 2), (False, 2)], True, 1),
        ([(False, 2), (True, 2)], True, 1),
        ([(True, 2), (True, 2), (True, 2)], True, 1),
    ],
)
def test_the_newest_label_counts(labels: list[tuple[bool, int]], positive: bool, revision: int) -> None:
    verdict = of([labelled(*one_more) for one_more in labels])
    assert (verdict.positive, verdict.revision) == (positive, revision)
    assert verdict.revision % 2 == verdict.positive


def test_a_second_chargeback_after_a_reversal_counts_in_any_order() -> None:
    labels = [labelled(True, 1), labelled(False, 3), labelled(True, 5)]
    assert {of(order).positive for order in permutations(labels)} == {True}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=12), st.randoms())
def test_the_verdict_does_not_hang_on_the_order(pairs: list[tuple[bool, int]], draw: object) -> None:
    labels = [labelled(*pair) for pair in pairs]
    shuffled = list(labels)
    draw.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis' random
    first, second = of(labels), of(shuffled)
    newest = max(((entry.label_time_ms, entry.positive) for entry in labels), default=(-1, False))
    assert (first.label_ms, first.positive) == (second.label_ms, second.positive) == newest


def test_what_a_label_does_has_a_name() -> None:
    verdict = of([labelled(True, 3)])
    kinds = [kind(verdict, labelled(*pair)) for pair in [(False, 5), (True, 5), (True, 3), (True, 1), (False, 3)]]
    assert kinds == ["withdrawn", "confirmed", "repeated", "older", "older"]
    assert kind(SILENCE, labelled(True, 1)) == "positive"


def test_by_the_rule_of_before_the_first_label_stood() -> None:
    assert of([labelled(True, 1), labelled(False, 3)], corrects=False) == Verdict(True, T0 + DAY, 1)
    assert of([labelled(False, 3), labelled(True, 1)], corrects=False) == Verdict(True, T0 + DAY, 1)
