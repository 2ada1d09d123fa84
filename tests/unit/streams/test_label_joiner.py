"""The label joiner's table, row by row, and its state across restarts."""

from __future__ import annotations

import random

import pytest

from features.events import Outcome
from streams.core import Record
from streams.label_joiner import LabelJoiner
from streams.limits import History, went_on
from tests.unit.streams.records import DAY, HOUR, T0, label, outcomes, record, score

DELAY = 7 * DAY


class Stream:
    """Feeds a joiner one record at a time, keeping offsets."""

    def __init__(self) -> None:
        self.joiner = LabelJoiner(DELAY)
        self.log: list[Record] = []

    def score(self, transaction_id: str, time: int, partition: int = 0) -> list[Outcome]:
        return self._feed(record("scores", len(self.log), score(transaction_id, T0 + time), partition))

    def label(self, transaction_id: str, time: int, is_fraud: bool, at: int, partition: int = 0) -> list[Outcome]:
        return self._feed(record("labels", len(self.log), label(transaction_id, T0 + time, is_fraud, T0 + at), partition))

    def _feed(self, item: Record) -> list[Outcome]:
        self.log.append(item)
        return outcomes([p.value for p in self.joiner.process([item]).produce])


@pytest.fixture
def stream() -> Stream:
    return Stream()


def test_a_label_after_its_score_gives_the_outcome_at_once(stream: Stream) -> None:
    assert stream.score("x", 0) == []
    (outcome,) = stream.label("x", 0, True, 2 * HOUR)
    assert outcome == Outcome(
        "x", "c", "t", T0, T0 + 2 * HOUR, True, "chargeback", amount_minor=1234, score=0.25, threshold=0.9, model_version="v1"
    )


def test_a_label_before_its_score_waits_for_it(stream: Stream) -> None:
    assert stream.label("x", 0, True, HOUR) == []
    (outcome,) = stream.score("x", 0)
    assert (outcome.is_fraud, outcome.outcome_time_ms, outcome.late) == (True, T0 + HOUR, False)


def test_without_a_label_the_score_matures_when_the_watermark_passes_the_delay(stream: Stream) -> None:
    stream.score("x", 0)
    assert stream.score("y", DELAY - 1) == []
    (outcome,) = stream.score("z", DELAY)
    assert (outcome.transaction_id, outcome.is_fraud, outcome.source) == ("x", False, "matured")
    assert outcome.outcome_time_ms == T0 + DELAY
    assert outcome.score == 0.25


def test_watermarks_are_by_partition(stream: Stream) -> None:
    stream.score("x", 0, partition=0)
    assert stream.score("y", 3 * DELAY, partition=1) == []


def test_a_late_fraud_label_gives_a_second_outcome(stream: Stream) -> None:
    stream.score("x", 0)
    stream.score("z", DELAY)
    (outcome,) = stream.label("x", 0, True, DELAY + HOUR)
    assert (outcome.is_fraud, outcome.late, outcome.score, outcome.outcome_time_ms) == (True, True, 0.25, T0 + DELAY + HOUR)
    assert stream.label("x", 0, True, DELAY + HOUR) == []


def test_a_late_genuine_label_says_nothing_new(stream: Stream) -> None:
    stream.score("x", 0)
    stream.score("z", DELAY)
    assert stream.label("x", 0, False, DELAY + HOUR) == []


def test_repeated_labels_are_left_out_but_fraud_after_genuine_counts(stream: Stream) -> None:
    stream.score("x", 0)
    (first,) = stream.label("x", 0, False, HOUR)
    assert (first.is_fraud, first.late) == (False, False)
    assert stream.label("x", 0, False, 2 * HOUR) == []
    (second,) = stream.label("x", 0, True, 3 * HOUR)
    assert (second.is_fraud, second.late) == (True, True)
    assert stream.label("x", 0, False, 4 * HOUR) == []


def test_of_two_waiting_labels_fraud_counts(stream: Stream) -> None:
    stream.label("x", 0, False, HOUR)
    stream.label("x", 0, True, 2 * HOUR)
    (outcome,) = stream.score("x", 0)
    assert outcome.is_fraud


def test_a_label_whose_score_never_comes_stands_alone_after_the_delay(stream: Stream) -> None:
    stream.label("x", 0, True, HOUR)
    assert stream.score("y", DELAY) == []
    out = stream.score("z", DELAY + HOUR)
    (alone,) = [o for o in out if o.transaction_id == "x"]
    assert (alone.is_fraud, alone.score, alone.amount_minor, alone.late) == (True, None, None, False)
    assert alone.outcome_time_ms == T0 + HOUR + DELAY
    assert [o for o in stream.score("x", 0) if o.transaction_id == "x"] == []


def test_a_label_after_its_transaction_was_forgotten_is_late_and_without_score(stream: Stream) -> None:
    stream.score("x", 0)
    stream.score("z", 3 * DELAY)
    (outcome,) = stream.label("x", 0, True, 3 * DELAY)
    assert (outcome.is_fraud, outcome.late, outcome.score) == (True, True, None)
    assert stream.label("x", 0, True, 3 * DELAY) == []
    assert stream.label("w", 0, False, 3 * DELAY) == []


def test_a_label_that_came_too_late_is_known_after_a_restart_too(stream: Stream) -> None:
    stream.score("x", 0)
    stream.score("y", 3 * DELAY)
    assert [outcome.late for outcome in stream.label("x", 0, True, HOUR)] == [True]
    again = LabelJoiner(DELAY)
    for topic in LabelJoiner.replays:
        again.restore([item for item in stream.log if item.topic == topic])
    stream.joiner = again
    assert stream.label("x", 0, True, HOUR) == [], "the same label once more"
    stream.score("z", 6 * DELAY)
    assert again.held == 1, "and then it is forgotten"


def test_memory_is_bounded_by_two_delays(stream: Stream) -> None:
    for hour in range(24 * 60):
        stream.score(f"x{hour}", hour * HOUR)
    assert stream.joiner.held <= 24 * 14 + 1


def test_a_bad_record_becomes_a_dead_letter_and_the_rest_goes_on(stream: Stream) -> None:
    good = record("scores", 1, score("x", T0))
    output = stream.joiner.process([record("labels", 0, b"{}"), record("scores", 0, b"nonsense"), good])
    assert [p.topic for p in output.produce] == ["dlq", "dlq"]
    assert stream.joiner.held == 1


def test_outcomes_are_keyed_by_terminal(stream: Stream) -> None:
    stream.joiner.process([record("scores", 0, score("x", T0, terminal="t9"))])
    (out,) = stream.joiner.process([record("labels", 0, label("x", T0, True, T0, terminal="t9"))]).produce
    assert (out.topic, out.key) == ("outcomes", b"t9")


def test_forget_drops_the_partition(stream: Stream) -> None:
    stream.score("x", 0, partition=0)
    stream.score("y", 0, partition=1)
    stream.joiner.forget([("scores", 0), ("labels", 0)])
    assert stream.joiner.held == 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cut", [0.2, 0.5, 0.8])
def test_a_restart_changes_nothing(seed: int, cut: float) -> None:
    """Labels are restored before scores, in whatever order they had come."""
    draw = random.Random(seed)
    times = sorted(draw.randrange(40 * DAY) for _ in range(300))
    log = [(time, record("scores", i, score(f"x{i}", T0 + time))) for i, time in enumerate(times)]
    for i, time in enumerate(times):
        if draw.random() < 0.3:
            at = time + draw.randrange(-DAY, 12 * DAY)
            said = label(f"x{i}", T0 + time, draw.random() < 0.7, T0 + max(at, time))
            log += [(at, record("labels", 1000 + i, said))] * draw.choice([1, 1, 2])
    records = [item for _, item in sorted(log, key=lambda pair: pair[0])]
    whole = LabelJoiner(DELAY)
    split = int(len(records) * cut)
    expected = [whole.process([item]).produce for item in records][split:]

    again = LabelJoiner(DELAY)
    for topic in again.replays:
        again.restore([item for item in records[:split] if item.topic == topic])
    assert [again.process([item]).produce for item in records[split:]] == expected
    # Old labels are remembered for two more delays after a restart.
    end = record("scores", 10_000, score("end", T0 + 40 * DAY + 2 * DELAY + 1))
    assert again.process([end]).produce == whole.process([end]).produce
    assert again.held == whole.held


@pytest.mark.parametrize("after", [3 * DAY, 14 * DAY])
def test_where_the_delay_changed_every_outcome_is_said_once(after: int) -> None:
    """By the first delay some scores mature, then by the second; the log is read again after each change, as at a restart."""
    scores = [record("scores", n, score(f"s{n}", T0 + n * DAY)) for n in range(40)]
    said: list[Outcome] = []
    history: History = ()
    begin = 0
    for delay, end in [(DELAY, 12), (after, 16), (after, 17), (DELAY, 30), (DELAY, 40)]:
        joiner = LabelJoiner(delay)
        history = went_on(history, begin, joiner.limits)
        joiner.decided(("scores", 0), history)
        joiner.decided(("labels", 0), history)
        joiner.restore(scores[:begin])
        for item in scores[begin:end]:
            said += outcomes([p.value for p in joiner.process([item]).produce])
        begin = end
    assert [one.transaction_id for one in said] == [f"s{n}" for n in range(40 - 7)]
    by_then = {n: DELAY if n + 7 < 12 else after if n * DAY + after <= 16 * DAY else DELAY for n in range(33)}
    assert [one.outcome_time_ms for one in said] == [T0 + n * DAY + by_then[n] for n in range(33)]
