"""A log that is read again decides what was decided then, however the settings changed on the way."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from features.base.events import Outcome
from features.base.sections import Scoring
from features.base.settings import Settings
from features.domains.card_fraud.event import Payment
from streams import topics
from streams.engine.settings_history import MOST, Histories, History, Since, by_limits, went_on
from streams.kafka.records import Record
from streams.labels.joiner import LabelJoiner
from streams.scoring.admission.event_clock import SUBJECTS
from streams.scoring.intake import Intake, admission, limits_of
from streams.scoring.measures import OWN, Measures
from streams.scoring.partition_state import PartitionState
from tests.unit.streams.records import label, score

A, B, C = (1,), (2,), (3,)
HOUR, T0 = 3_600_000, 1_767_600_000_000


def test_a_history_goes_on() -> None:
    history = went_on((), 70, A)
    assert history == (Since(0, A),)
    assert went_on(history, 90, A) == history
    history = went_on(history, 90, B)
    assert history == (Since(0, A), Since(90, B))
    assert went_on(history, 90, C) == (Since(0, A), Since(90, C)), "nothing was decided by B"
    assert went_on(history, 90, A) == (Since(0, A),)
    assert went_on(history, 91, A) == (Since(0, A), Since(90, B), Since(91, A))


def test_offsets_that_went_back_take_their_history_with_them() -> None:
    history = (Since(0, A), Since(50, B), Since(90, C))
    assert went_on(history, 70, C) == (Since(0, A), Since(50, B), Since(70, C))
    assert went_on(history, 20, C) == (Since(0, A), Since(20, C))
    assert went_on(history, 0, C) == (Since(0, C),)


def test_of_too_many_changes_the_last_are_kept() -> None:
    history: History = ()
    for n in range(3 * MOST):
        history = went_on(history, n, (n % 2,))
    assert len(history) == MOST
    assert history[-1] == Since(3 * MOST - 1, ((3 * MOST - 1) % 2,))


def record(partition: int, offset: int) -> Record:
    return Record("t", partition, offset, None, None)


def test_records_come_in_parts_with_the_limits_of_then() -> None:
    histories = {("t", 0): (Since(0, A), Since(2, B)), ("t", 1): (Since(5, C),), ("t", 3): (Since(0, A),)}
    log = [record(0, 1), record(1, 1), record(2, 9), record(0, 2), record(1, 7), record(0, 3)]
    assert list(by_limits(log, histories)) == [
        ([log[0], log[1], log[2], log[4]], {("t", 0): A, ("t", 1): C}),
        ([log[3], log[5]], {("t", 0): B}),
    ]


def test_without_a_change_there_is_one_part() -> None:
    log = [record(0, 1), record(1, 1)]
    assert list(by_limits(log, {})) == [(log, {})]
    assert list(by_limits(log, {("t", 0): (Since(0, A),)})) == [(log, {("t", 0): A})]


def test_histories_are_kept_by_partition_until_they_are_forgotten() -> None:
    histories = Histories()
    histories.decided(("t", 0), (Since(0, A), Since(2, B)))
    histories.decided(("t", 1), (Since(0, C),))
    log = [record(0, 1), record(1, 1), record(0, 2)]
    assert [histories.at(entry) for entry in [*log, record(2, 0)]] == [A, C, B, None]
    assert list(histories.parts(log)) == [(log[:2], {("t", 0): A, ("t", 1): C}), (log[2:], {("t", 0): B})]
    histories.forget([("t", 0), ("other", 1)])
    assert histories.at(record(0, 1)) is None
    assert list(histories.parts(log)) == [(log, {("t", 1): C})]


class Life:
    """A process: its state, and what it says of a record. ``offset``: from which on it processes by ``scoring``."""

    def __init__(self, scoring: Scoring, history: History, offset: int) -> None:
        self.state = PartitionState(admission(scoring))
        self.intake = Intake(scoring, lambda _: self.state.admission, Measures(Settings()))
        self.history = went_on(history, offset, self.intake.limits)
        self.intake.decided((topics.EVENTS, 0), self.history)

    def says(self, records: list[Record]) -> list[tuple[int, str]]:
        taken, dead, _, _ = self.intake.take(records)
        verdicts = [(letter.offset, "dead") for letter in (msgspec.json.decode(produced.value, type=Offset) for produced in dead)]
        if taken is not None:
            verdicts += [
                (r.offset, "late" if late else "new") for r, late in zip(taken.records, taken.late.tolist(), strict=True)
            ]
        return sorted(verdicts)

    def arrays(self) -> dict[str, Any]:
        copy = self.state.copy(100)
        while not copy.done:
            copy.step()
        return copy.arrays()


class Offset(msgspec.Struct):
    offset: int


SCORINGS = [
    Scoring(duplicate_horizon_hours=horizon, allowed_lateness_hours=lateness, allowed_lead_hours=lead)
    for horizon, lateness, lead in [(4, 2, 1), (1, 2, 1), (9, 1, 0), (0, 2, 0), (4, 2, 3)]
]
#: Number, card, amount, and hours that the event time is off.
Paid = tuple[int, int, int, int]


def log_of(payments: list[Paid]) -> list[Record]:
    """Time goes on by a quarter of an hour a record; ids, cards and bodies repeat, and event times are hours off."""
    made = []
    for n, (number, subject, amount, off) in enumerate(payments):
        appended_ms = T0 + n * HOUR // 4
        event = Payment(f"t{number}", appended_ms + off * HOUR, f"c{subject}", "m", 100 + amount)
        made.append(Record(topics.EVENTS, 0, n, b"k", msgspec.json.encode(event), [], appended_ms))
    return made


def begun(subjects: int) -> list[Paid]:
    """So many cards at first: from eight on, the clock shows the time of each."""
    return [(100 + n, n, 0, 0) for n in range(subjects)]


@pytest.mark.parametrize("seed", range(150))
def test_a_life_goes_on_where_the_one_before_ended(seed: int) -> None:
    """Processes follow each other, each with other settings, from the log or from a snapshot made on the way; beside them a
    single process whose settings change while it runs."""
    rng = random.Random(seed)
    payments = [(rng.randrange(8), rng.randrange(10), int(rng.random() < 0.2), rng.choice([0, 0, 0, -2, 2])) for _ in range(120)]
    log = log_of(begun(rng.choice([0, SUBJECTS])) + payments)
    ends = [*sorted(rng.randrange(len(log)) for _ in range(rng.randrange(1, 5))), len(log)]
    unbroken, life, begin = Life(SCORINGS[0], (), 0), Life(SCORINGS[0], (), 0), 0
    for end in ends:
        middle = rng.randint(begin, end)
        assert life.says(log[begin:middle]) == unbroken.says(log[begin:middle])
        snapshot = life.arrays()
        assert life.says(log[middle:end]) == unbroken.says(log[middle:end])
        scoring, from_snapshot = rng.choice(SCORINGS), rng.random() < 0.5
        life = Life(scoring, life.history, end)
        if from_snapshot:
            life.state.load(snapshot)
        list(life.intake.again(log[middle if from_snapshot else 0 : end]))
        unbroken.intake.limits, begin = limits_of(scoring), end


def test_a_refused_payment_is_taken_once_the_setting_allows_it() -> None:
    """The letter of a payment from the future is replayed after the limit was lifted, by a process that reads the log again."""
    [ahead] = log_of([(1, 1, 0, 2)])
    first = Life(SCORINGS[0], (), 0)
    assert first.says([ahead]) == [(0, "dead")]
    again = Life(SCORINGS[2], first.history, 1)
    assert list(again.intake.again([ahead])) == []
    assert again.says([msgspec.structs.replace(ahead, offset=1)]) == [(1, "new")]


def joined(joiner: LabelJoiner, items: list[Record]) -> list[Outcome]:
    made = [produced for item in items for produced in joiner.process([item]).produce]
    return [msgspec.json.decode(produced.value, type=Outcome) for produced in made if produced.topic == topics.OUTCOMES]


def labelled_log(rng: random.Random) -> list[Record]:
    """A score an hour, and labels that may lie in the future."""
    log: list[Record] = []
    for n in range(150):
        clock_ms = T0 + n * HOUR
        log.append(Record(topics.SCORES, 0, n, b"k", msgspec.json.encode(score(f"t{n}", clock_ms)), [], clock_ms))
        if rng.random() < 0.5:
            # Of a payment that is not forgotten yet: so what the label says of it does not count.
            of, offset = max(0, n - rng.randrange(40)), sum(entry.topic == topics.LABELS for entry in log)
            times = [clock_ms + rng.choice([0, 0, 0, 2, 100, 10_000]) * HOUR for _ in range(2)]
            body = label(f"t{of}", times[0], True, times[1])
            log.append(Record(topics.LABELS, 0, offset, b"k", msgspec.json.encode(body), [], clock_ms))
    return log


def dated_ahead(item: Record, lead_ms: int) -> bool:
    """Whether it is a label that a joiner with this lead, not 0, does not take."""
    fields = msgspec.json.decode(item.value or b"")
    return item.topic == topics.LABELS and max(fields["event_time_ms"], fields["label_time_ms"]) > item.appended_ms + lead_ms


@pytest.mark.parametrize("seed", range(40))
def test_lives_of_the_joiner_say_together_what_one_says_of_the_labels_that_were_not_refused(seed: int) -> None:
    rng, delay = random.Random(seed), 24 * HOUR
    log = labelled_log(rng)
    ends = [*sorted(rng.randrange(len(log)) for _ in range(rng.randrange(1, 6))), len(log)]
    histories: dict[str, History] = {topics.LABELS: (), topics.SCORES: ()}
    lives: list[Outcome] = []
    unbroken, one_life, begin = LabelJoiner(delay), list[Outcome](), 0
    for end in ends:
        life = LabelJoiner(delay, rng.choice([0, HOUR, 50 * HOUR]))
        for topic in life.replays:
            before = [entry for entry in log[:begin] if entry.topic == topic]
            histories[topic] = went_on(histories[topic], len(before), life.limits)
            life.decided((topic, 0), histories[topic])
            life.restore(before)
        lives += joined(life, log[begin:end])
        lead_ms = life.limits.lead_ms
        one_life += joined(unbroken, [entry for entry in log[begin:end] if not lead_ms or not dated_ahead(entry, lead_ms)])
        begin = end
    assert lives == one_life


@pytest.mark.parametrize("scoring", SCORINGS)
def test_settings_become_limits_in_ms(scoring: Scoring) -> None:
    limits = limits_of(scoring)
    hours = scoring.duplicate_horizon_hours, scoring.allowed_lateness_hours, scoring.allowed_lead_hours
    assert tuple(limits) == (*(int(span * HOUR) for span in hours), 0, OWN)
