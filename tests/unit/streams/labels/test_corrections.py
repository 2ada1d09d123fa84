"""Labels that contradict each other: what the joiner says of them, whenever they come and wherever it restarts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from features.base.events import Label, Outcome
from features.base.settings import Settings
from streams.engine.core import Output
from streams.engine.settings_history import Since
from streams.engine.testing import Abort, Batch, Driver, End, Kill, Move, Rows, Step
from streams.kafka.records import Record
from streams.labels import metrics
from streams.labels.joiner import LabelJoiner
from streams.labels.label_intake import JoinLimits
from tests.unit.streams.records import DAY, HOUR, T0, label, outcomes, record, score

DELAY = 7 * DAY
Said = tuple[bool, int, bool, str]


def labels_record(offset: int, positive: bool, day: float, source: str = "chargeback", event_id: str = "x") -> Record:
    return record("labels", offset, Label(event_id, "c", "t", T0, positive, T0 + int(day * DAY), source))


def says(outcome: Outcome) -> Said:
    return outcome.positive, outcome.revision, outcome.late, outcome.source


def process(joiner: LabelJoiner, *records: Record) -> list[Outcome]:
    """The outcomes of records that are taken one by one."""
    made = [item for entry in records for item in joiner.process([entry]).produce]
    assert {item.topic for item in made} <= {"outcomes"}
    return outcomes([item.value for item in made])


def restarted(log: Sequence[Record]) -> LabelJoiner:
    joiner = LabelJoiner(DELAY)
    for topic in joiner.replays:
        joiner.restore([entry for entry in log if entry.topic == topic])
    return joiner


PAYMENT = record("scores", 0, score("x", T0))


def test_an_analyst_clears_a_chargeback() -> None:
    """Case 12."""
    joiner = LabelJoiner(DELAY)
    first, second = process(joiner, PAYMENT, labels_record(0, True, 1), labels_record(1, False, 3, "analyst"))
    assert (says(first), first.outcome_time_ms) == ((True, 1, False, "chargeback"), T0 + DAY)
    assert (says(second), second.outcome_time_ms) == ((False, 2, True, "analyst"), T0 + 3 * DAY)
    assert (second.score, second.measure, second.model_version) == (0.25, 1234, "v1")


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(("order", "verdicts"), [([1, 3, 5], [True, False, True]), ([1, 5, 3], [True]), ([5, 1, 3], [True])])
def test_a_second_chargeback_after_a_reversal(order: list[int], verdicts: list[bool], restart: bool) -> None:
    log = [PAYMENT]
    joiner, made = LabelJoiner(DELAY), []
    for offset, day in enumerate(order):
        made += process(joiner, *([PAYMENT] if not offset else []), entry := labels_record(offset, day != 3, day))
        log.append(entry)
        joiner = restarted(log) if restart else joiner
    assert [outcome.positive for outcome in made] == verdicts
    assert [outcome.revision for outcome in made] == list(range(1, len(verdicts) + 1))


@pytest.mark.parametrize("restart", [False, True])
def test_a_reversal_weeks_after_two_delays_still_says_of_which_payment(restart: bool) -> None:
    later = record("scores", 1, score("z", T0 + 60 * DAY))
    log = [PAYMENT, labels_record(0, True, 5), later]
    joiner = LabelJoiner(DELAY)
    process(joiner, *log)
    joiner = restarted(log) if restart else joiner
    wrong = record("labels", 1, Label("x", "c", "another terminal", T0 + DAY, False, T0 + 60 * DAY))
    (outcome,) = process(joiner, wrong)
    assert (says(outcome), outcome.score) == ((False, 2, True, "chargeback"), None)
    assert (outcome.subject, outcome.counterpart, outcome.event_time_ms) == ("c", "t", T0), "the tile that has the fraud loses it"


@pytest.mark.parametrize("restart", [False, True])
def test_a_late_chargeback_of_a_forgotten_payment_may_be_reversed(restart: bool) -> None:
    log = [PAYMENT, record("scores", 1, score("y", T0 + 30 * DAY)), labels_record(0, True, 30)]
    log.append(record("scores", 2, score("z", T0 + 70 * DAY)))
    joiner = LabelJoiner(DELAY)
    made = process(joiner, *log)
    made += process(restarted(log) if restart else joiner, labels_record(1, False, 70))
    assert [(outcome.score, outcome.measure) for outcome in made if outcome.late] == [(None, None)] * 2
    assert [says(outcome) for outcome in made if outcome.event_id == "x"] == [
        (False, 0, False, "matured"),
        (True, 1, True, "chargeback"),
        (False, 2, True, "chargeback"),
    ]


def test_labels_that_wait_for_their_score_agree_before_it_comes() -> None:
    joiner = LabelJoiner(DELAY)
    (outcome,) = process(joiner, labels_record(0, True, 1), labels_record(1, False, 3), labels_record(2, False, 4), PAYMENT)
    assert (says(outcome), outcome.outcome_time_ms) == ((False, 2, False, "chargeback"), T0 + 3 * DAY)


def test_a_label_without_score_is_corrected_too() -> None:
    joiner = LabelJoiner(DELAY)
    moves = [record("scores", n, score(f"y{n}", T0 + n * 7 * DAY)) for n in (1, 2)]
    made = process(joiner, labels_record(0, True, 1), *moves, labels_record(1, False, 3))
    assert [says(outcome) for outcome in made if outcome.event_id == "x"] == [
        (True, 1, False, "chargeback"),
        (False, 2, True, "chargeback"),
    ]


def test_what_labels_do_is_counted_when_it_is_committed() -> None:
    def counts() -> dict[str, float]:
        samples = next(iter(metrics.CORRECTIONS.collect())).samples
        return {sample.labels["kind"]: sample.value for sample in samples if sample.name.endswith("_total") and sample.value}

    joiner, before = LabelJoiner(DELAY), counts()
    days = [(True, 1), (False, 3), (False, 3), (True, 2), (False, 4), (True, 5)]
    came = [labels_record(n, *pair) for n, pair in enumerate(days)]
    outputs: list[Output] = [joiner.process([entry]) for entry in [PAYMENT, *came]]
    assert counts() == before, "a batch that is given up counts nothing"
    for output in outputs:
        for count in output.counted:
            count()
    grown = {name: value - before.get(name, 0.0) for name, value in counts().items()}
    assert {name: value for name, value in grown.items() if value} == {
        "withdrawn": 1,
        "repeated": 1,
        "older": 1,
        "confirmed": 1,
        "positive": 1,
    }
    assert restarted([PAYMENT, *came]).process([labels_record(6, True, 5)]).counted != []


def test_a_label_that_said_nothing_by_the_rule_of_then_is_said_when_it_comes_again() -> None:
    """Offsets that an earlier version committed: its first label stood. What it passed over was never said."""
    old = [labels_record(0, True, 1), labels_record(1, False, 3)]
    joiner = LabelJoiner(DELAY)
    joiner.decided(("labels", 0), (Since(0, (DELAY, HOUR)), Since(2, JoinLimits(DELAY, 0, 1))))
    joiner.restore(old)
    joiner.restore([PAYMENT])
    (outcome,) = process(joiner, labels_record(2, False, 3))
    assert says(outcome) == (False, 2, True, "chargeback")


class Reference(NamedTuple):
    """Everything that is known of a payment, kept for ever: what a joiner without limits of memory would say."""

    labels: list[Label]
    verdicts: list[tuple[bool, int]]


def naive(log: Sequence[Record], events: Sequence[tuple[str, int, Label | None]]) -> dict[str, list[tuple[bool, int]]]:
    """The verdicts and revisions of each payment, in order; ``events`` beside the log: id, event time of a score, or label."""
    of: dict[str, Reference] = {}
    scored: dict[str, int] = {}
    clock = -1
    for event_id, time, given in events:
        known = of.setdefault(event_id, Reference([], []))
        if given is None:
            scored[event_id], clock = time, max(clock, time)
        else:
            known.labels.append(given)
        if event_id in scored and known.labels:
            say(known)
        for other, at in scored.items():
            if at + DELAY <= clock and not of[other].labels and not of[other].verdicts:
                of[other].verdicts.append((False, 0))
    return {event_id: known.verdicts for event_id, known in of.items() if known.verdicts}


def say(known: Reference) -> None:
    """Say the verdict of the newest label unless it was said; turns are counted over the labels as they came."""
    turns, positive, newest = 0, False, (-1, False)
    for given in known.labels:
        rank = (given.label_time_ms, given.positive)
        if rank > newest:
            turns += given.positive != positive
            positive, newest = given.positive, rank
    if not known.verdicts or known.verdicts[-1][0] != positive:
        known.verdicts.append((positive, turns))


@pytest.mark.parametrize("seed", range(30))
def test_random_histories_of_labels_are_what_a_naive_reference_says(seed: int) -> None:
    draw = random.Random(seed)
    events: list[tuple[int, str, int, Label | None]] = []
    for n in range(60):
        time = T0 + draw.randrange(20 * DAY)
        events.append((time, f"x{n}", time, None))
        for _ in range(draw.choice([0, 0, 1, 2, 4])):
            at = time + draw.randrange(0, 10 * DAY, 6 * HOUR)
            # Labels come up to two days before they should, or after; some twice.
            given = label(f"x{n}", time, draw.random() < 0.5, at)
            events += [(at + draw.randrange(-2 * DAY, 3 * DAY), f"x{n}", time, given)] * draw.choice([1, 1, 2])
    events.sort(key=lambda event: event[0])
    log = [
        record("scores" if given is None else "labels", n, score(name, time) if given is None else given)
        for n, (_, name, time, given) in enumerate(events)
    ]
    expected = naive(log, [event[1:] for event in events])
    joiner, made = LabelJoiner(DELAY), dict[str, list[tuple[bool, int]]]()
    for n, entry in enumerate(log):
        if draw.random() < 0.05:
            joiner = restarted(log[:n])
        for outcome in process(joiner, entry):
            made.setdefault(outcome.event_id, []).append((outcome.positive, outcome.revision))
    assert made == expected
    assert any(len(verdicts) > 2 for verdicts in made.values())


@pytest.mark.parametrize("seed", range(4))
def test_whatever_ends_the_process_each_correction_is_said_once(tmp_path: Path, seed: int) -> None:
    """The real shell over a broker in memory; one record a batch, for a batch takes its labels first."""
    draw = random.Random(seed)
    steps: list[Step] = [record("scores", 0, score(f"x{n}", T0 + n * HOUR), n % 2) for n in range(20)]
    steps += [Batch(1)] * 20
    for _ in range(60):
        n = draw.randrange(20)
        given = label(f"x{n}", T0, draw.random() < 0.5, T0 + draw.randrange(9) * DAY)
        steps += [record("labels", 0, given, n % 2), Batch(1)]

    def run(steps: list[Step]) -> list[str]:
        driver = Driver(Settings(dir=tmp_path, partitions=2), lambda: LabelJoiner(DELAY), Rows())
        driver.run([*steps, End()])
        return sorted(repr(item) for item in outcomes([entry.value or b"" for entry in driver.read("outcomes")]))

    verdicts = run(steps)
    for step in (Kill(), Kill(committing=True), Abort(), Move((0,), Batch(1)), Move(None)):
        steps.insert(draw.randrange(60, len(steps)), step)
    assert run(steps) == verdicts
    assert sum("late=True" in item for item in verdicts) > 2


@pytest.mark.parametrize("seed", range(5))
def test_batches_cut_anywhere_end_with_the_same_verdicts(seed: int) -> None:
    """A batch takes its labels first, so it may say less on the way; what counts in the end is the same, with its revision."""
    draw = random.Random(seed)
    log = [record("scores", n, score(f"x{n}", T0 + n * HOUR)) for n in range(50)]
    given = [label(f"x{draw.randrange(50)}", T0, draw.random() < 0.5, T0 + draw.randrange(9) * DAY) for _ in range(150)]
    for n, entry in enumerate(given):
        log.insert(draw.randrange(len(log) + 1), record("labels", n, entry))
    # A log has its labels in the order of offsets.
    ordered = iter(sorted((entry for entry in log if entry.topic == "labels"), key=lambda entry: entry.offset))
    log = [next(ordered) if entry.topic == "labels" else entry for entry in log]
    ends = []
    for most in (1, 7, 1000):
        joiner, newest = LabelJoiner(DELAY), dict[str, tuple[int, bool]]()
        rest = list(log)
        while rest:
            size = draw.randint(1, most)
            made = joiner.process(rest[:size]).produce
            rest = rest[size:]
            for outcome in outcomes([item.value for item in made]):
                before = newest.get(outcome.event_id)
                assert before is None or outcome.revision > before[0]
                newest[outcome.event_id] = outcome.revision, outcome.positive
        ends.append(newest)
    assert ends[0] == ends[1] == ends[2]
