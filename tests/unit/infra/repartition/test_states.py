"""Processors whose time is that of their partitions say nothing twice and leave nothing out when the partitions change."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.base.events import DeadLetter, DriftReport, Outcome
from features.base.sections import Drift
from streams import topics
from streams.drift.monitor import DriftMonitor
from streams.engine.core import Output
from streams.engine.settings_history import History, went_on
from streams.labels.joiner import LabelJoiner
from tests.unit.infra.repartition.moving import Writer, moved
from tests.unit.streams.drift.synthetic import GivenReferences, settings_for
from tests.unit.streams.records import DAY, HOUR, T0, label, score

DELAY = 2 * DAY


class Joined:
    """A label joiner over a log of its own, which may be moved; all outcomes that it has said, and the dead letters."""

    def __init__(self, partitions: int) -> None:
        self.writer = Writer(partitions)
        self.outcomes: list[Outcome] = []
        self.letters: list[DeadLetter] = []
        self.histories: dict[str, dict[int, History]] = {}
        self.delay, self.lead = DELAY, 0
        self.restart()

    def restart(self) -> None:
        self.joiner = LabelJoiner(self.delay, self.lead)
        for topic in LabelJoiner.replays:
            histories = self.histories.setdefault(topic, {})
            for number, part in enumerate(self.writer.log[topic]):
                histories[number] = went_on(histories.get(number, ()), len(part), self.joiner.limits)
                self.joiner.decided((topic, number), histories[number])
        for topic in LabelJoiner.replays:
            self.joiner.restore(list(self.writer.records(topic)))

    def move(self, partitions: int) -> None:
        self.writer = moved(self.writer, partitions, self.histories)
        self.histories = {}
        self.restart()

    def label_one(self, rng: np.random.Generator, payments: list[tuple[str, int, str]], labelled: set[str]) -> None:
        """A fraud label, now, for one of the last payments, unless it has one. ``payments``: id, event time, card."""
        payment_id, time, subject = payments[int(rng.integers(max(0, len(payments) - 200), len(payments)))]
        if payment_id not in labelled:
            labelled.add(payment_id)
            self.put(topics.LABELS, subject, label(payment_id, time, True, payments[-1][1], subject))

    def put(self, topic: str, key: str, event: msgspec.Struct, appended_ms: int = 0) -> None:
        for item in self.joiner.process([self.writer.put(topic, key, event, appended_ms)]).produce:
            if item.topic == topics.DLQ:
                self.letters.append(msgspec.json.decode(item.value, type=DeadLetter))
            else:
                self.outcomes.append(msgspec.json.decode(item.value, type=Outcome))


@pytest.mark.parametrize("seed", range(12))
def test_every_outcome_is_said_once_whatever_the_delay_and_the_partitions(seed: int) -> None:
    """The delay changes at restarts, at repartitions, and between them."""
    rng = np.random.default_rng(seed)
    run = Joined(4)
    payments: list[tuple[str, int, str]] = []
    labelled: set[str] = set()
    for n in range(600):
        if rng.random() < 0.02:
            run.delay = int(rng.choice([DAY, 2 * DAY, 4 * DAY]))
            run.restart() if rng.random() < 0.5 else run.move(int(rng.integers(2, 7)))
        if payments and rng.random() < 0.2:
            run.label_one(rng, payments, labelled)
        else:
            time = T0 + n * HOUR // 2
            payments.append((f"t{n}", time, f"c{int(rng.integers(30))}"))
            run.put(topics.SCORES, payments[-1][2], score(f"t{n}", time, payments[-1][2]))
    run.restart()
    for number in range(30):
        run.put(topics.SCORES, f"c{number}", score(f"end{number}", payments[-1][1] + 10 * DAY, f"c{number}"))
    first = Counter(o.event_id for o in run.outcomes if not o.late and not o.event_id.startswith("end"))
    assert first == Counter([payment_id for payment_id, _, _ in payments])
    assert Counter(o.event_id for o in run.outcomes if o.positive) == Counter(labelled)


@pytest.mark.parametrize("seed", range(4))
def test_every_outcome_is_said_once_whatever_the_partitions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    run = Joined(4)
    payments: list[tuple[str, int, str]] = []
    labelled: set[str] = set()
    moves = dict(zip(sorted(rng.choice(np.arange(50, 560), 3, replace=False).tolist()), (6, 3, 4), strict=True))
    for n in range(600):
        if n in moves:
            run.move(moves[n])
        if rng.random() < 0.03:
            run.restart()
        if payments and rng.random() < 0.2:
            run.label_one(rng, payments, labelled)
        else:
            time = T0 + n * HOUR // 2 + int(rng.integers(-3 * HOUR, 3 * HOUR))
            payments.append((f"t{n}", time, f"c{int(rng.integers(30))}"))
            run.put(topics.SCORES, payments[-1][2], score(f"t{n}", time, payments[-1][2]))
    # The labels of payments that do not exist expire in the end, said once as well.
    run.put(topics.LABELS, "c1", label("nobody", payments[-1][1], True, payments[-1][1], "c1"))
    run.move(5)
    end = payments[-1][1] + 10 * DAY
    for number in range(30):
        run.put(topics.SCORES, f"c{number}", score(f"end{number}", end, f"c{number}"))
    run.move(2)
    for number in range(30):
        run.put(topics.SCORES, f"c{number}", score(f"last{number}", end + 1, f"c{number}"))
    first = Counter(o.event_id for o in run.outcomes if not o.late)
    assert first == Counter([payment_id for payment_id, _, _ in payments] + ["nobody"])
    assert Counter(o.event_id for o in run.outcomes if o.positive) == Counter([*labelled, "nobody"])
    assert [o.event_id for o in run.outcomes if o.score is None and not o.late] == ["nobody"]


@pytest.mark.parametrize("seed", range(6))
def test_every_correction_is_said_once_whatever_the_partitions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    run, still = Joined(4), Joined(1)
    payments: list[tuple[str, int, str]] = []
    for n in range(500):
        if rng.random() < 0.01:
            run.move(int(rng.integers(1, 7)))
        if rng.random() < 0.02:
            run.restart()
        if payments and rng.random() < 0.7:
            payment_id, time, subject = payments[int(rng.integers(max(0, len(payments) - 5), len(payments)))]
            event_label = label(payment_id, time, bool(rng.random() < 0.5), time + int(rng.integers(48)) * HOUR, subject)
            run.put(topics.LABELS, subject, event_label)
            still.put(topics.LABELS, subject, event_label)
        else:
            payments.append((f"t{n}", T0 + n * HOUR // 2, f"c{int(rng.integers(10))}"))
            for joined in (run, still):
                joined.put(topics.SCORES, payments[-1][2], score(f"t{n}", payments[-1][1], payments[-1][2]))
    revisions = [(o.event_id, o.revision) for o in run.outcomes]
    assert len(set(revisions)) == len(revisions)
    labelled = [[(o.event_id, o.revision, o.positive) for o in each.outcomes if o.source != "matured"] for each in (run, still)]
    assert sorted(labelled[0]) == sorted(labelled[1])
    assert max(o.revision for o in run.outcomes) > 2


def test_what_had_matured_is_not_said_again_by_a_partition_whose_time_lies_behind() -> None:
    run = Joined(2)
    # The murmur2 hashes put these cards into different partitions of two, and into one of one.
    ahead, behind = "c0", next(f"c{n}" for n in range(1, 99) if _partition(f"c{n}", 2) != _partition("c0", 2))
    run.put(topics.SCORES, ahead, score("old", T0, ahead))
    run.put(topics.SCORES, ahead, score("new", T0 + DELAY + 1, ahead))
    run.put(topics.SCORES, behind, score("waits", T0 + 1, behind))
    assert [o.event_id for o in run.outcomes] == ["old"]
    run.move(1)
    run.restart()
    # One partition's time has passed all three; what had not matured is said when a payment comes.
    assert [o.event_id for o in run.outcomes] == ["old"]
    run.put(topics.SCORES, behind, score("next", T0 + DELAY + 2, behind))
    assert [o.event_id for o in run.outcomes] == ["old", "waits"]
    run.restart()
    run.put(topics.SCORES, behind, score("after", T0 + DELAY + 3, behind))
    assert [o.event_id for o in run.outcomes] == ["old", "waits"]


def test_a_label_stays_refused_or_taken_whatever_the_partitions_and_the_lead() -> None:
    """Both lie ten days ahead; the copies are made when that has come."""
    run = Joined(2)
    for name in ("refused", "taken"):
        run.put(topics.SCORES, "c", score(name, T0))
    run.lead = HOUR
    run.restart()
    run.put(topics.LABELS, "c", label("refused", T0, True, T0 + 10 * DAY), T0)
    assert [(letter.error, letter.offset) for letter in run.letters] == [("EventAhead", 0)]
    run.lead = 0
    run.restart()
    run.put(topics.LABELS, "c", label("taken", T0, True, T0 + 100 * DAY), T0)
    run.lead = HOUR
    for partitions in (3, 1):
        run.move(partitions)
        assert [len(part) for part in run.writer.log[topics.LABELS] if part] == [1]
        run.restart()
    run.put(topics.SCORES, "c", score("next", T0 + DELAY))
    assert [(o.event_id, o.source) for o in run.outcomes] == [("taken", "chargeback"), ("refused", "matured")]
    # The letter is replayed when its time has come.
    run.put(topics.LABELS, "c", label("refused", T0, True, T0 + 10 * DAY), T0 + 10 * DAY)
    assert [(o.event_id, o.late) for o in run.outcomes[2:]] == [("refused", True)]
    assert len(run.letters) == 1


def _partition(subject: str, partitions: int) -> int:
    return Writer(partitions).put(topics.SCORES, subject, score("x", T0, subject)).partition


class Watched:
    """A drift monitor over a log of its own; the reports that it has made."""

    def __init__(self, folder: Path, partitions: int) -> None:
        self._folder = folder
        self.writer = Writer(partitions)
        self.report_ids: list[str] = []
        self.restart()

    def restart(self) -> None:
        settings = settings_for(self._folder, Drift(min_rows=10_000_000), self.writer.partitions)
        self.monitor = DriftMonitor(settings, GivenReferences("v1", rows=1000))
        for topic in (topics.SCORES, topics.OUTCOMES):
            self.monitor.restore(list(self.writer.records(topic)))

    def move(self, partitions: int) -> None:
        self.writer = moved(self.writer, partitions, {})
        self.restart()

    def put(self, topic: str, key: str, event: msgspec.Struct) -> None:
        self.hear(self.monitor.process([self.writer.put(topic, key, event)]))

    def hear(self, output: Output) -> None:
        for item in output.produce:
            if item.topic == topics.DRIFT_REPORTS:
                self.report_ids.append(msgspec.json.decode(item.value, type=DriftReport).report_id)


@pytest.mark.parametrize("seed", range(3))
def test_every_window_is_reported_once_whatever_the_partitions(tmp_path: Path, seed: int) -> None:
    """Cards are at different times, so that the watermark jumps back and forth with the partitions."""
    rng = np.random.default_rng(seed)
    run, start = Watched(tmp_path, 4), T0 // DAY * DAY
    subjects = [f"c{n}" for n in range(16)]
    lag = {subject: int(rng.integers(0, 30 * HOUR)) for subject in subjects}
    moves = {70: 6, 130: 2, 131: 5, 200: 3}
    for n in range(260):
        if n in moves:
            run.move(moves[n])
        if rng.random() < 0.03:
            run.restart()
        clock = start + 2 * DAY + n * HOUR
        for subject in subjects:
            time = clock - lag[subject]
            run.put(topics.SCORES, subject, score(f"{subject}-{n}", time, subject))
            if n % 6 == 0:
                known = Outcome(
                    f"{subject}-{n}", subject, subject, time - DELAY, time, False, "matured", score=0.2, threshold=0.9
                )
                known.model_version = "v1"
                run.put(topics.OUTCOMES, subject, known)
    # All cards reach the same time.
    end = clock + 3 * DAY
    for again in range(2):
        for subject in subjects:
            run.put(topics.SCORES, subject, score(f"{subject}-end{again}", end + again, subject))
            last = Outcome(
                f"{subject}-end{again}", subject, subject, end - DELAY, end + again, False, "matured", score=0.2, threshold=0.9
            )
            last.model_version = "v1"
            run.put(topics.OUTCOMES, subject, last)
    counts = Counter(run.report_ids)
    assert set(counts.values()) == {1}
    days = range((clock - min(lag.values())) // DAY * DAY, start + 2 * DAY - min(lag.values()), -DAY)
    for kind in ("data", "performance"):
        assert {f"{kind}-v1-{day}" for day in list(days)[1:-1]} <= counts.keys()
