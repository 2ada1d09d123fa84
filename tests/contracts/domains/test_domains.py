"""One suite for every domain; a process serves one, so it runs for that of DRIFTLOOP_DOMAIN (``make unit`` runs it for each).

A domain is right when its events come back from the wire, when its windows are those of a slow and simple reference, when neither
a restart nor batch changes a bit, when labels and silence become outcomes, and when drift and gate can do what they are for.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from features.base.active import DOMAIN, ROLES
from features.base.durations import DAY_MS, HOUR_MS
from features.base.event import Event
from features.base.events import Event as EventOfTheDomain
from features.base.events import Label, Outcome, Score
from features.base.sections import Drift, Features
from features.base.sections import Labels as LabelSettings
from features.base.settings import Settings
from features.catalogue import generate
from features.catalogue.vector import FEATURES, INDEX, N_STREAM, SCHEMA, WIDTH, packed
from features.history.state import SubjectState
from features.transform.arrow import Recomputation, in_log_order
from features.transform.arrow import vectors as listed
from features.transform.columns import from_events, is_apart
from features.transform.update import update
from retrain.training import families
from retrain.training.dataset import Dataset
from retrain.training.evaluate import Evaluation, evaluate
from retrain.training.gate import Limits, gate
from retrain.training.split import by_time, subject_hash
from streams import topics
from streams.drift.data.looks import DataMonitor, Judged, ScoreSeen
from streams.drift.references import Reference
from streams.engine.codec import encode
from streams.engine.snapshot_store import Snapshot
from streams.engine.snapshot_store import decode as from_file
from streams.engine.snapshot_store import encode as to_file
from streams.kafka.records import Record
from streams.labels.joiner import LabelJoiner
from streams.scoring.intake import admission
from streams.scoring.partition_state import PartitionState
from streams.writers.archive import table
from tests.contracts.domains import naive
from tests.contracts.domains.world import LIMIT, late, streamed, vectors, world
from tests.served import served

DELAY = LabelSettings(delay_days=2.0)


def longest_days() -> int:
    return max(DOMAIN.windows.values()) // DAY_MS


def test_what_is_made_of_the_domain_is_up_to_date() -> None:
    assert generate.main(["--check"]) == 0


def test_events_come_back_from_the_wire() -> None:
    decode = msgspec.json.Decoder(EventOfTheDomain).decode
    for event in world(2, 60).events[:300]:
        body = encode(event)
        assert decode(body) == event
        names = set(json.loads(body))
        assert {ROLES.id, ROLES.time, ROLES.subject, ROLES.counterpart, ROLES.measure} <= names


def test_an_event_needs_no_more_than_its_roles() -> None:
    least = EventOfTheDomain("e", 1_700_000_000_000, "s", "c", 5)
    assert msgspec.json.decode(encode(least), type=EventOfTheDomain) == least
    assert np.isfinite(streamed([least])).all()
    with pytest.raises(msgspec.ValidationError, match=ROLES.measure):
        msgspec.json.decode(encode(least).replace(b":5", b":-5"), type=EventOfTheDomain)


def test_labels_come_back_from_the_wire() -> None:
    for label in world(2, 60).labels:
        body = encode(label)
        assert msgspec.json.decode(body, type=Label) == label
        assert json.loads(body)[DOMAIN.labels.positive] is label.positive
        assert label.source in DOMAIN.labels.sources


def test_windows_are_those_of_the_naive_reference() -> None:
    events = late(world(longest_days() + 6, 14, rate=1.0).events)
    features, wanted = streamed(events), naive.windows(events)
    assert [e.event_time_ms for e in events] != sorted(e.event_time_ms for e in events)
    assert set(wanted[0]) <= set(INDEX)
    for name in wanted[0]:
        column = np.array([row[name] for row in wanted], dtype=np.float64).astype(np.float32)
        np.testing.assert_array_equal(features[:, INDEX[name]], column, err_msg=name)
    # The longest window forgets, or it is not tested.
    longest = list(DOMAIN.windows)[-1]
    assert max(Counter(event.subject for event in events).values()) > max(row[f"count_{longest}"] for row in wanted)


def test_features_say_something() -> None:
    known = world(12, 300)
    features = vectors(known, DELAY)
    assert np.isfinite(features).all()
    constant = [name for name, i in INDEX.items() if FEATURES[i].source != "profile" and np.ptp(features[:, i]) == 0]
    # An absurd measure is seldom, and a map of one world need not have it.
    assert set(constant) <= {reach.column for reach in DOMAIN.unusual}


def test_a_restart_changes_no_bit() -> None:
    events = late(world(longest_days() + 6, 14, rate=1.0).events)
    half = len(events) // 2
    unbroken = streamed(events)
    settings = Settings()
    state = PartitionState(admission(settings.scoring))
    state.update(from_events(events[:half]), LIMIT)
    copy = state.copy(3)
    while not copy.done:
        copy.step()
    restarted = PartitionState(admission(settings.scoring))
    restarted.load(from_file(b"".join(to_file(Snapshot(half, "v", copy.arrays())))).arrays)
    again, _ = restarted.update(from_events(events[half:]), LIMIT)
    np.testing.assert_array_equal(again, unbroken[half:])
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(update(SubjectState(), from_events(events[half:]), LIMIT), unbroken[half:])


def test_batch_gives_the_bits_that_the_stream_gave() -> None:
    rows = served(late(world(20, 60).events), partitions=3)  # type: ignore[arg-type] # events of whatever domain
    archived = in_log_order(table(topics.SCORES, rows))
    again = Recomputation(Features()).vectors(archived)
    np.testing.assert_array_equal(again[:, :N_STREAM], listed(archived.column("features"))[:, :N_STREAM])


def scored(event: Event, vector: NDArray[np.float32] | None = None) -> Score:
    data = packed(np.zeros(WIDTH, dtype=np.float32) if vector is None else vector)
    if is_apart([event])[0]:
        return Score(event, event.subject, SCHEMA, data, "apart")
    return Score(event, event.subject, SCHEMA, data, "pass", score=0.1, threshold=0.9, model_version="v1")


def test_labels_mature() -> None:
    """A label becomes an outcome when it comes, silence one when the delay is over."""
    known = world(6, 60, positive_rate=0.1)
    moments = [(event.event_time_ms, Record(topics.SCORES, 0, 0, b"", encode(scored(event)))) for event in known.events]
    moments += [(label.label_time_ms, Record(topics.LABELS, 0, 0, b"", encode(label))) for label in known.labels]
    end = int(known.times.max())
    joiner, outcomes = LabelJoiner(DELAY.delay_ms), dict[str, list[Outcome]]()
    for _, record in sorted((pair for pair in moments if pair[0] <= end), key=lambda pair: pair[0]):
        for item in joiner.process([record]).produce:
            assert item.topic == topics.OUTCOMES
            outcome = msgspec.json.decode(item.value, type=Outcome)
            outcomes.setdefault(outcome.event_id, []).append(outcome)
    labels = {label.event_id: label for label in known.labels if label.label_time_ms <= end}
    assert any(label.positive for label in labels.values())
    for event in known.events:
        got, label = outcomes.get(event.event_id, []), labels.get(event.event_id)
        if is_apart([event])[0]:
            assert got == []
        elif label is not None and label.label_time_ms < event.event_time_ms + DELAY.delay_ms:
            assert [(outcome.positive, outcome.source, outcome.measure) for outcome in got] == [
                (label.positive, label.source, event.measure)
            ]
        elif label is not None and label.label_time_ms > event.event_time_ms + DELAY.delay_ms + HOUR_MS:
            late_ones = [(True, label.source, True)] if label.positive else []
            assert [(outcome.positive, outcome.source, outcome.late) for outcome in got] == [
                (False, "matured", False),
                *late_ones,
            ]
        elif label is None and event.event_time_ms < end - DELAY.delay_ms - 3 * HOUR_MS:
            assert [(outcome.positive, outcome.source) for outcome in got] == [(False, "matured")]
        elif label is None and event.event_time_ms > end - DELAY.delay_ms:
            assert got == []


class Fixed:
    """One reference for every version."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def get(self, version: str) -> Reference:
        return self._reference


def judged(factor: float) -> Judged:
    """What the monitor says of a workday on which all measures are so many times what they were."""
    events = world(12, 900, counterparts=100).events
    last = max(event.event_time_ms for event in events) // DAY_MS * DAY_MS
    shifted = [
        msgspec.structs.replace(event, measure=int(event.measure * factor)) if event.event_time_ms >= last - DAY_MS else event
        for event in events
    ]
    features, times = streamed(shifted), np.array([event.event_time_ms for event in shifted])
    score = np.full(len(features), 0.1, dtype=np.float32)
    # Enough of the past for windows of some days to be filled.
    learned = (times >= last - 5 * DAY_MS) & (times < last - DAY_MS) & ~is_apart(shifted)
    settings = Settings(partitions=1, drift=Drift(consecutive_windows=1))
    monitor = DataMonitor(settings, Fixed(Reference("v1", features[learned], score[learned])))
    seen = [
        msgspec.json.decode(encode(scored(event, vector)), type=ScoreSeen)
        for event, vector, time in zip(shifted, features, times.tolist(), strict=True)
        if last - DAY_MS <= time <= last + HOUR_MS
    ]
    monitor.take([0] * len(seen), seen)
    clock = msgspec.structs.replace(seen[-1].event, event_time_ms=last + 2 * HOUR_MS)
    monitor.take([0], [msgspec.structs.replace(seen[-1], event=clock)])
    (report,) = monitor.advance()
    return report


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "ok"), (2.5, "drift")])
def test_a_drift_is_found(factor: float, verdict: str) -> None:
    judgement = judged(factor)
    assert (judgement.report.verdict, judgement.drifted) == (verdict, verdict == "drift"), judgement.report


def test_another_unit_is_a_data_fault_of_the_measure() -> None:
    judgement = judged(100.0)
    assert judgement.report.verdict == "data_fault"
    assert {fault["field"] for fault in judgement.report.evidence["faults"]} == {ROLES.measure}


def test_the_gate_is_reachable() -> None:
    """A model of a few days passes, and one that has learned nothing does not."""
    known = world(16, 900, counterparts=150, positive_rate=0.05)
    times = known.times[known.own]
    settled = times <= times.max() - DELAY.delay_ms
    data = Dataset(
        vectors(known, DELAY)[known.own],
        times,
        np.array([event.measure for event in known.events])[known.own],
        known.positive[known.own] & settled,
        settled,
        subject_hash(event.subject for event in known.events)[known.own],
    )
    split = by_time(times, data.subject, settled, int(times[settled].max()), 0.25, 0.5)
    family = families.load()
    fitted = family.train(
        data.take(split.train),
        end_ms=int(times.max()),
        half_life_days=15.0,
        delay_ms=DELAY.delay_ms,
        max_rows=100_000,
        epochs=6,
        seed=7,
    )
    judged_on = data.take(split.holdout)
    limits = Limits(max_ap_loss=0.02, min_positives=10)

    def of(scores: NDArray[np.floating[Any]]) -> Evaluation:
        return evaluate(scores.astype(np.float32), judged_on.positive, judged_on.measure, 0.02, 5.0)

    missed = judged_on.measure[judged_on.positive].sum() / DOMAIN.parameters.unit
    by_measure = DOMAIN.gate.cost_of_missed == "measure"
    nobody_looks = of(np.zeros(len(judged_on))).cost_without_model
    assert nobody_looks == pytest.approx(missed if by_measure else judged_on.positive.sum())
    learned = gate(of(family.score(fitted, judged_on.vectors)), None, limits)
    assert learned.passed, learned.reason
    guessed = gate(of(np.random.default_rng(1).random(len(judged_on))), None, limits)
    assert not guessed.passed
    assert "little better than chance" in guessed.reason
