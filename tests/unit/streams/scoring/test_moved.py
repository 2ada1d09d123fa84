"""Payments in any partition, under any key or none: one history a card, one score each, whatever ends the process."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from features.base.events import DeadLetter, Score
from features.base.sections import Labels, Scoring
from features.base.settings import Settings, SettingsError
from features.catalogue.vector import INDEX, unpacked
from features.domains.card_fraud.event import Payment
from features.online.cached_reader import Reader
from streams import topics
from streams.engine.homes import Homes
from streams.engine.moved_header import Moved, moved
from streams.engine.partitioner_setting import homes_of
from streams.engine.testing import Abort, Batch, Driver, End, Kill, Move, Snapshot, Step, Written
from streams.kafka.partitioners import HASHES
from streams.kafka.records import Record
from streams.scoring.scorer import Scorer
from tests.unit.streams.records import HOUR, T0
from tests.unit.streams.scoring.test_scorer import Model, Store

PARTITIONS = 4
HOME = HASHES["murmur2"](b"c") % PARTITIONS


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(dir=tmp_path, partitions=PARTITIONS, labels=Labels(delay_days=7.0))


def driver(settings: Settings, homes: Homes | None = None) -> Driver:
    own = homes or homes_of(settings)
    return Driver(settings, lambda: Scorer(settings, Model(), Reader(Store()), homes=own), now_ms=T0)


def payment(n: int, partition: int, key: bytes | None = b"c", subject: str = "c", time: int | None = None) -> Record:
    event = Payment(f"{subject}{n}", T0 + n * 60_000 if time is None else time, subject, "m", 1000)
    return Record(topics.EVENTS, partition, 0, key, msgspec.json.encode(event), [("trace", b"%d" % n)])


def scores(run: Driver) -> list[Score]:
    return [msgspec.json.decode(record.value or b"", type=Score) for record in run.read(topics.SCORES)]


def counts(run: Driver) -> list[int]:
    """How many payments each vector counts in a day, by event time."""
    ordered = sorted(scores(run), key=lambda score: score.event.event_time_ms)
    return [int(unpacked(score.features)[INDEX["count_1d"]]) for score in ordered]


@pytest.mark.parametrize("key", [None, b"", b"c", b"another", b'"c"'], ids=str)
def test_a_card_has_one_history_wherever_its_payments_come(settings: Settings, key: bytes | None) -> None:
    run = driver(settings)
    for n in range(8):
        run.run([payment(n, (HOME + n) % PARTITIONS, key), End()])
    assert counts(run) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {record.partition for record in run.read(topics.SCORES)} == {HOME}
    assert run.read(topics.DLQ) == []


def test_a_moved_record_has_its_subject_as_key_its_headers_and_where_it_came_from(settings: Settings) -> None:
    run = driver(settings)
    run.run([payment(0, (HOME + 1) % PARTITIONS, None), End()])
    written = [record for record in run.read(topics.EVENTS) if record.partition == HOME]
    assert [(record.key, record.headers[0]) for record in written] == [(b"c", ("trace", b"0"))]
    assert moved(written[0]) == Moved((HOME + 1) % PARTITIONS, 0, T0, 0, 1)


def test_a_payment_that_comes_twice_by_two_ways_is_scored_once(settings: Settings) -> None:
    run = driver(settings)
    run.run([payment(0, HOME), payment(0, (HOME + 1) % PARTITIONS, None), payment(0, (HOME + 2) % PARTITIONS), End()])
    assert len(scores(run)) == 1
    assert run.read(topics.DLQ) == []


def test_whether_it_comes_from_the_future_goes_by_when_its_producer_sent_it(settings: Settings) -> None:
    """The broker took it five hours before the scorer came to move it; three hours ahead of that is too far."""
    lead = settings.model_copy(update={"scoring": Scoring(allowed_lead_hours=1.0)})
    run = driver(lead)
    run.run([payment(0, (HOME + 1) % PARTITIONS, time=T0 + 3 * HOUR), lambda: run.clock.advance(5 * 3600), End()])
    (record,) = run.read(topics.DLQ)
    letter = msgspec.json.decode(record.value or b"", type=DeadLetter)
    assert (letter.error, letter.partition) == ("EventAhead", HOME)
    assert "3.0 hours ahead" in letter.message


def test_whether_it_is_late_goes_by_how_far_time_had_come_where_it_came(settings: Settings) -> None:
    """Three days at once: the moved payments come behind all of their partition's own, and no later than those were."""
    away = (HOME + 1) % PARTITIONS
    names = [n for n in map("n{}-".format, range(200)) if HASHES["murmur2"](n.encode()) % PARTITIONS == HOME]
    own = [payment(n, HOME, None, names[n % 10], T0 + n * HOUR) for n in range(72)]
    moving = [payment(n, away, None, names[10 + n % 10], T0 + n * HOUR) for n in range(72)]
    behind = payment(99, away, None, names[10], T0 + 2 * HOUR)
    run = driver(settings.model_copy(update={"scoring": Scoring(allowed_lead_hours=0)}))
    run.run([*own, *moving, behind, End()])
    late = {score.event.event_id for score in scores(run) if score.late}
    assert len(scores(run)) == 145
    assert late == {f"{names[10]}99"}


STREAM = [payment(n, n % PARTITIONS, None if n % 3 else b"k", f"s{n % 5}") for n in range(60)]


@pytest.mark.parametrize(
    "steps",
    [
        [*[Batch(3)] * 7, Kill(), *[Batch(5)] * 3, Kill(committing=True), Batch(9), Kill(), End()],
        [Batch(4), Abort(), Batch(11), Abort(), End()],
        [Batch(10), Move((0, 2), Batch(6)), Batch(3), Move(None), End()],
        [Batch(12), Snapshot(), *[Batch(3)] * 6, Written(), Kill(), End()],
    ],
    ids=["kills", "aborts", "moves", "snapshots"],
)
def test_each_is_scored_once_with_the_features_of_one_history_whatever_ends_the_process(
    settings: Settings, steps: list[Step]
) -> None:
    patient = settings.model_copy(update={"scoring": Scoring(allowed_lateness_hours=1000.0)})
    run, other = driver(patient), driver(patient.model_copy(update={"dir": patient.dir / "other"}))
    run.run([*STREAM, *steps])
    assert Counter(score.event.event_id for score in scores(run)) == Counter(f"s{n % 5}{n}" for n in range(60))
    homed = [Record(r.topic, HASHES["murmur2"](b"s%d" % (n % 5)) % PARTITIONS, 0, r.key, r.value) for n, r in enumerate(STREAM)]
    other.run([*homed, End()])
    # Of a card whose payments came by several partitions the order of arrival may differ, the sums by window may not in the end.
    newest = {score.subject: score for score in sorted(scores(run), key=lambda score: score.event.event_time_ms)}
    for subject, score in {s.subject: s for s in sorted(scores(other), key=lambda s: s.event.event_time_ms)}.items():
        assert newest[subject].event == score.event


def test_payments_of_before_there_was_a_setting_stay_where_they_are(settings: Settings) -> None:
    run = driver(settings, Homes(None, PARTITIONS))
    run.run([payment(0, (HOME + 1) % PARTITIONS), End()])
    upgraded = Driver(settings, lambda: Scorer(settings, Model(), Reader(Store()), homes=homes_of(settings)), now_ms=T0)
    upgraded.cluster = run.cluster
    upgraded.run([payment(1, (HOME + 1) % PARTITIONS), End()])
    upgraded.run([payment(2, HOME), Kill(), End()])
    assert counts(upgraded) == [1, 1, 2], "the first lies in another partition's history, and was scored there"


def test_another_partitioner_is_refused_before_anything_is_scored(settings: Settings) -> None:
    run = driver(settings)
    run.run([payment(0, HOME), End()])
    changed = driver(settings, Homes("crc32", PARTITIONS))
    changed.cluster = run.cluster
    with pytest.raises(SettingsError, match=r"driftloop repartition --partitioner crc32"):
        changed.run([payment(1, HOME), End()])


def test_a_mirrored_topic_is_scored_as_its_source_was(settings: Settings) -> None:
    """All records of another platform with other partitions, strays and their moved copies both, into partitions of the mirror's
    choice: what was moved there is moved again here, and each payment is scored once."""
    source = driver(settings)
    source.run([*(payment(n, n % PARTITIONS, None, f"s{n % 5}") for n in range(20)), End()])
    mirrored = source.read(topics.EVENTS)
    assert len(mirrored) > 20, "some were moved"
    target = driver(settings.model_copy(update={"dir": settings.dir / "mirror"}))
    target.run([*(Record(r.topic, n % PARTITIONS, 0, r.key, r.value, r.headers) for n, r in enumerate(mirrored)), End()])
    assert Counter(score.event.event_id for score in scores(target)) == Counter(f"s{n % 5}{n}" for n in range(20))
    assert {moved(record).moves for record in target.read(topics.EVENTS) if moved(record) is not None} == {1, 2}  # type: ignore[union-attr]
    assert target.read(topics.DLQ) == []
