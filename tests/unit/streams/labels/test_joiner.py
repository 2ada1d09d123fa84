"""The label joiner's table, row by row, and its state across restarts."""

from __future__ import annotations

import random

import msgspec
import pytest

from features.base.events import DeadLetter, Label, Outcome, Score
from streams.engine import commit_metadata
from streams.engine.settings_history import History, Since, went_on
from streams.kafka.records import Record
from streams.labels import metrics
from streams.labels.joiner import LabelJoiner
from tests.unit.streams.records import DAY, HOUR, T0, ahead, label, outcomes, record, score

DELAY = 7 * DAY


class Stream:
    """Feeds a joiner one record at a time, keeping offsets."""

    def __init__(self) -> None:
        self.joiner = LabelJoiner(DELAY)
        self.log: list[Record] = []

    def score(self, event_id: str, time: int, partition: int = 0) -> list[Outcome]:
        return self._feed(record("scores", len(self.log), score(event_id, T0 + time), partition))

    def label(self, event_id: str, time: int, positive: bool, at: int, partition: int = 0) -> list[Outcome]:
        return self._feed(record("labels", len(self.log), label(event_id, T0 + time, positive, T0 + at), partition))

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
        "x",
        "c",
        "t",
        T0,
        T0 + 2 * HOUR,
        True,
        "chargeback",
        measure=1234,
        score=0.25,
        threshold=0.9,
        model_version="v1",
        revision=1,
    )


def test_a_label_before_its_score_waits_for_it(stream: Stream) -> None:
    assert stream.label("x", 0, True, HOUR) == []
    (outcome,) = stream.score("x", 0)
    assert (outcome.positive, outcome.outcome_time_ms, outcome.late) == (True, T0 + HOUR, False)


def test_without_a_label_the_score_matures_when_the_watermark_passes_the_delay(stream: Stream) -> None:
    stream.score("x", 0)
    assert stream.score("y", DELAY - 1) == []
    (outcome,) = stream.score("z", DELAY)
    assert (outcome.event_id, outcome.positive, outcome.source) == ("x", False, "matured")
    assert outcome.outcome_time_ms == T0 + DELAY
    assert outcome.score == 0.25


def test_watermarks_are_by_partition(stream: Stream) -> None:
    stream.score("x", 0, partition=0)
    assert stream.score("y", 3 * DELAY, partition=1) == []


def test_a_late_fraud_label_gives_a_second_outcome(stream: Stream) -> None:
    stream.score("x", 0)
    stream.score("z", DELAY)
    (outcome,) = stream.label("x", 0, True, DELAY + HOUR)
    assert (outcome.positive, outcome.late, outcome.score, outcome.outcome_time_ms) == (True, True, 0.25, T0 + DELAY + HOUR)
    assert stream.label("x", 0, True, DELAY + HOUR) == []


def test_a_late_genuine_label_says_nothing_new(stream: Stream) -> None:
    stream.score("x", 0)
    stream.score("z", DELAY)
    assert stream.label("x", 0, False, DELAY + HOUR) == []


def test_repeated_labels_are_left_out_but_fraud_after_genuine_counts(stream: Stream) -> None:
    stream.score("x", 0)
    (first,) = stream.label("x", 0, False, HOUR)
    assert (first.positive, first.late) == (False, False)
    assert stream.label("x", 0, False, 2 * HOUR) == []
    (second,) = stream.label("x", 0, True, 3 * HOUR)
    assert (second.positive, second.late, second.revision) == (True, True, 1)
    assert stream.label("x", 0, True, 3 * HOUR) == []


def test_of_two_waiting_labels_fraud_counts(stream: Stream) -> None:
    stream.label("x", 0, False, HOUR)
    stream.label("x", 0, True, 2 * HOUR)
    (outcome,) = stream.score("x", 0)
    assert outcome.positive


def test_a_label_whose_score_never_comes_stands_alone_after_the_delay(stream: Stream) -> None:
    stream.label("x", 0, True, HOUR)
    assert stream.score("y", DELAY) == []
    out = stream.score("z", DELAY + HOUR)
    (alone,) = [o for o in out if o.event_id == "x"]
    assert (alone.positive, alone.score, alone.measure, alone.late) == (True, None, None, False)
    assert alone.outcome_time_ms == T0 + HOUR + DELAY
    assert [o for o in stream.score("x", 0) if o.event_id == "x"] == []


def test_a_label_after_its_transaction_was_forgotten_is_late_and_without_score(stream: Stream) -> None:
    stream.score("x", 0)
    stream.score("z", 3 * DELAY)
    (outcome,) = stream.label("x", 0, True, 3 * DELAY)
    assert (outcome.positive, outcome.late, outcome.score) == (True, True, None)
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
    stream.score("z", 180 * DAY + HOUR)
    assert again.held == 1, "and then it is forgotten"


@pytest.mark.parametrize("restart", [False, True])
def test_fraud_after_genuine_of_a_forgotten_transaction_is_without_score_after_a_restart_too(
    stream: Stream, restart: bool
) -> None:
    stream.score("x", 0)
    stream.score("z", 3 * DELAY)
    assert stream.label("x", 0, False, 3 * DELAY) == []
    if restart:
        stream.joiner = LabelJoiner(DELAY)
        for topic in ("labels", "scores"):
            stream.joiner.restore([entry for entry in stream.log if entry.topic == topic])
    (outcome,) = stream.label("x", 0, True, 3 * DELAY + HOUR)
    assert (outcome.late, outcome.score, outcome.measure) == (True, None, None)


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
    stream.joiner.process([record("scores", 0, score("x", T0, counterpart="t9"))])
    (out,) = stream.joiner.process([record("labels", 0, label("x", T0, True, T0, counterpart="t9"))]).produce
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
            body = label(f"x{i}", T0 + time, draw.random() < 0.7, T0 + max(at, time))
            log += [(at, record("labels", 1000 + i, body))] * draw.choice([1, 1, 2])
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
    joined: list[Outcome] = []
    history: History = ()
    begin = 0
    for delay, end in [(DELAY, 12), (after, 16), (after, 17), (DELAY, 30), (DELAY, 40)]:
        joiner = LabelJoiner(delay)
        history = went_on(history, begin, joiner.limits)
        joiner.decided(("scores", 0), history)
        joiner.decided(("labels", 0), history)
        joiner.restore(scores[:begin])
        for item in scores[begin:end]:
            joined += outcomes([p.value for p in joiner.process([item]).produce])
        begin = end
    assert [outcome.event_id for outcome in joined] == [f"s{n}" for n in range(40 - 7)]
    by_then = {n: DELAY if n + 7 < 12 else after if n * DAY + after <= 16 * DAY else DELAY for n in range(33)}
    assert [outcome.outcome_time_ms for outcome in joined] == [T0 + n * DAY + by_then[n] for n in range(33)]


def said_of(joiner: LabelJoiner, *items: Record) -> tuple[list[Outcome], list[DeadLetter]]:
    """The outcomes and the dead letters of these records, one batch each."""
    made = [produced for item in items for produced in joiner.process([item]).produce]
    letters = [msgspec.json.decode(produced.value, type=DeadLetter) for produced in made if produced.topic == "dlq"]
    return outcomes([produced.value for produced in made if produced.topic == "outcomes"]), letters


def life(lead_ms: int, labels: list[Record], history: History = ()) -> tuple[LabelJoiner, History]:
    """A joiner after a restart that has processed the score of x and these labels, and the history of its labels."""
    joiner = LabelJoiner(DELAY, lead_ms)
    history = went_on(history, len(labels), joiner.limits)
    joiner.decided(("labels", 0), history)
    joiner.decided(("scores", 0), (Since(0, joiner.limits),))
    joiner.restore(labels)
    joiner.restore([record("scores", 0, score("x", T0))])
    return joiner, history


@pytest.mark.parametrize("label_first", [False, True])
@pytest.mark.parametrize("off", [-DAY, 30 * DAY])
def test_of_a_payment_the_score_says_what_it_was_and_the_label_whether_it_was_fraud(off: int, label_first: bool) -> None:
    wrong = Label("x", "c", "another terminal", T0 + off, True, T0 + HOUR, "analyst")
    items = [record("scores", 0, score("x", T0)), record("labels", 0, wrong)]
    joiner = LabelJoiner(DELAY)
    (made,) = [produced for item in (items[::-1] if label_first else items) for produced in joiner.process([item]).produce]
    assert made.key == b"t"
    assert outcomes([made.value]) == [
        Outcome(
            "x",
            "c",
            "t",
            T0,
            T0 + HOUR,
            True,
            "analyst",
            measure=1234,
            score=0.25,
            threshold=0.9,
            model_version="v1",
            revision=1,
        )
    ]


def test_a_late_label_does_not_say_what_the_payment_was_either(stream: Stream) -> None:
    stream.score("x", 0)
    stream.score("z", DELAY)
    (outcome,) = stream.label("x", 2 * DELAY, True, DELAY + HOUR)
    assert (outcome.late, outcome.event_time_ms) == (True, T0)


@pytest.mark.parametrize("field", ["event_time_ms", "label_time_ms"])
def test_a_label_from_the_future_is_a_dead_letter_that_names_the_field(field: str) -> None:
    joiner, _ = life(HOUR, [])
    joined, letters = said_of(joiner, ahead(0, field=field, by=20 * DAY), ahead(1, "unknown", field, by=20 * DAY))
    assert joined == []
    assert [(letter.error, letter.processor, letter.topic, letter.offset) for letter in letters] == [
        ("EventAhead", "label-joiner", "labels", 0),
        ("EventAhead", "label-joiner", "labels", 1),
    ]
    assert all(letter.message.startswith(f"{field} is 20.0 days ahead of the broker's clock") for letter in letters)
    assert joiner.held == 1, "the score, and no label that waits for ever"
    assert [outcome.outcome_time_ms for outcome in said_of(joiner, record("labels", 2, label("x", T0, True, T0)))[0]] == [T0]


def test_a_letter_names_the_time_that_has_to_come() -> None:
    both = msgspec.structs.replace(label("x", T0 + 3 * DAY, True, T0 + 9 * DAY))
    _, (letter,) = said_of(LabelJoiner(DELAY, HOUR), msgspec.structs.replace(record("labels", 0, both), appended_ms=T0))
    assert letter.message.startswith("label_time_ms is 9.0 days ahead")


@pytest.mark.parametrize("field", ["event_time_ms", "label_time_ms"])
def test_the_lead_itself_is_allowed_and_without_lead_or_clock_any_time(field: str) -> None:
    far = ahead(0, field=field, by=1000 * DAY)
    for lead_ms, item, taken in [
        (HOUR, ahead(0, field=field, by=HOUR), 1),
        (HOUR, ahead(0, field=field, by=HOUR + 1), 0),
        (HOUR, msgspec.structs.replace(far, appended_ms=0), 1),
        (0, far, 1),
    ]:
        joined, letters = said_of(life(lead_ms, [])[0], item)
        assert (len(joined), len(letters)) == (taken, 1 - taken)


def test_beside_a_refused_label_the_others_of_its_batch_are_taken() -> None:
    joiner, _ = life(HOUR, [])
    output = joiner.process([ahead(0), record("labels", 1, b"{"), record("labels", 2, label("x", T0, True, T0 + 5))])
    assert [produced.topic for produced in output.produce] == ["dlq", "dlq", "outcomes"]


def test_a_refused_label_is_taken_once_the_setting_allows_it_and_not_because_the_log_is_read_again() -> None:
    first, history = life(HOUR, [])
    refused = ahead(0)
    assert [len(of) for of in said_of(first, refused)] == [0, 1]
    same, history = life(HOUR, [refused], history)
    assert same.held == 1
    again, history = life(0, [refused], history)
    assert history == (Since(0, (DELAY, HOUR, 0, 1)), Since(1, (DELAY, 0, 0, 1)))
    joined, letters = said_of(again, msgspec.structs.replace(refused, offset=1))
    assert ([(outcome.positive, outcome.late, outcome.score) for outcome in joined], letters) == ([(True, False, 0.25)], [])


def test_a_label_that_was_taken_stays_taken_under_a_setting_that_would_refuse_it() -> None:
    first, history = life(0, [])
    taken = ahead(0)
    assert [len(of) for of in said_of(first, taken)] == [1, 0]
    again, _ = life(HOUR, [taken], history)
    later = record("scores", 1, score("y", T0 + 2 * DELAY - HOUR))
    assert said_of(again, record("labels", 1, label("x", T0, True, T0)), later) == ([], []), "x has its outcome"


def test_labels_of_the_time_before_they_had_a_lead_stay_taken() -> None:
    """What an earlier version committed beside its offsets says the delay alone."""
    note = commit_metadata.read('{"limits":[[0,[604800000]]]}')
    assert note.limits == (Since(0, (DELAY,)),)
    again, history = life(HOUR, [ahead(0)], note.limits)
    assert history == (Since(0, (DELAY,)), Since(1, (DELAY, HOUR, 0, 1)))
    assert commit_metadata.read(commit_metadata.Note(0, history).text()).limits == history
    assert said_of(again, record("labels", 1, label("x", T0, True, T0))) == ([], [])
    assert [len(of) for of in said_of(again, ahead(2, "y"))] == [0, 1]


def test_scores_that_were_processed_before_there_was_a_lead_are_read_again() -> None:
    joiner = LabelJoiner(3 * DELAY, HOUR)
    joiner.decided(("scores", 0), (Since(0, (DELAY,)), Since(2, joiner.limits)))
    joiner.restore([record("scores", 0, score("x", T0)), record("scores", 1, score("y", T0 + DELAY))])
    joined, _ = said_of(joiner, record("scores", 2, score("z", T0 + 3 * DELAY)))
    assert joined == [], "x had matured by the delay of then, and y waits for that of now"


def test_each_partition_of_labels_has_its_own_history() -> None:
    """Neither that of another partition counts, nor that of the scores of the same number."""
    joiner = LabelJoiner(DELAY, 0)
    joiner.decided(("labels", 0), (Since(0, (DELAY, HOUR)), Since(5, joiner.limits)))
    joiner.decided(("labels", 1), (Since(0, joiner.limits),))
    joiner.decided(("scores", 0), (Since(0, joiner.limits),))
    joiner.decided(("scores", 1), (Since(0, (DELAY, HOUR)), Since(5, joiner.limits)))
    refused, taken = ahead(4), ahead(5, "y")
    elsewhere = msgspec.structs.replace(ahead(4, "z"), partition=1)
    joiner.restore([refused, taken, elsewhere])
    assert joiner.held == 2
    joiner.forget([("labels", 0), ("scores", 0)])
    joiner.restore([refused])
    assert joiner.held == 2, "a history goes with its partition"


def refund(event_id: str, time: int) -> Score:
    return msgspec.structs.replace(score(event_id, T0 + time, value=None), decision="apart")


def test_what_is_no_purchase_has_no_outcome_whenever_its_label_comes(stream: Stream) -> None:
    before = metrics.IGNORED._value.get()
    assert stream._feed(record("scores", 0, refund("x", 0))) == []
    assert stream.label("x", 0, True, HOUR) == []
    assert stream.label("y", HOUR, True, 2 * HOUR) == []
    assert stream._feed(record("scores", 1, refund("y", HOUR))) == []
    # Time passes with them, and makes nothing of them.
    stream.score("z", 2 * HOUR)
    assert [o.event_id for o in stream._feed(record("scores", 2, refund("w", DELAY + 3 * HOUR)))] == ["z"]
    assert metrics.IGNORED._value.get() == before, "counted once it is committed"
    counted = [stream.joiner.process([record("labels", 9, label("w", T0, True, T0))]).counted]
    for count in counted[0]:
        count()
    assert metrics.IGNORED._value.get() == before + 1
