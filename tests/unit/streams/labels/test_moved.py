"""Labels in any partition meet their payments, whatever ends the joiner."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from features.base.events import Outcome
from features.base.settings import Settings
from streams import topics
from streams.engine.partitioner_setting import homes_of
from streams.engine.testing import Batch, Driver, End, Kill, Step
from streams.kafka.partitioners import HASHES, KNOWN
from streams.kafka.records import Record
from streams.labels import metrics
from streams.labels.joiner import LabelJoiner
from tests.unit.streams.records import DAY, HOUR, T0, label, score

PARTITIONS = 4
CARDS = [f"card-{n}" for n in range(12)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(dir=tmp_path, partitions=PARTITIONS)


def driver(settings: Settings) -> Driver:
    return Driver(settings, lambda: LabelJoiner(7 * DAY, homes=homes_of(settings)), now_ms=T0 + 400 * DAY)


def scored(n: int) -> Record:
    card = CARDS[n].encode()
    home = HASHES["murmur2"](card) % PARTITIONS
    return Record(topics.SCORES, home, 0, card, msgspec.json.encode(score(f"t{n}", T0 + n * HOUR, CARDS[n])))


def labelled(n: int, way: str) -> Record:
    """The label as clients of one kind publish it."""
    card = CARDS[n].encode()
    key = {"no key": None, "another key": b"m1"}.get(way, card)
    partition = KNOWN[way](card, PARTITIONS) if way in KNOWN else n % PARTITIONS
    value = msgspec.json.encode(label(f"t{n}", T0 + n * HOUR, True, T0 + 2 * DAY, CARDS[n]))
    return Record(topics.LABELS, partition, 0, key, value)


def outcomes(run: Driver) -> list[Outcome]:
    return [msgspec.json.decode(record.value or b"", type=Outcome) for record in run.read(topics.OUTCOMES)]


@pytest.mark.parametrize("way", [*KNOWN, "no key", "another key"])
@pytest.mark.parametrize("first", ["payments", "labels"])
def test_each_label_meets_its_payment(settings: Settings, way: str, first: str) -> None:
    payments, labels = [scored(n) for n in range(12)], [labelled(n, way) for n in range(12)]
    parts = [payments, labels] if first == "payments" else [labels, payments]
    run = driver(settings)
    for part in parts:
        run.run([*part, End()])
    joined = outcomes(run)
    assert sorted(outcome.event_id for outcome in joined) == sorted(f"t{n}" for n in range(12))
    assert all(outcome.positive and outcome.score is not None and not outcome.late for outcome in joined)
    assert run.read(topics.DLQ) == []


@pytest.mark.parametrize(
    "steps", [[Batch(3), Kill(), Batch(5), Kill(committing=True), Batch(2), Kill(), End()], [*[Batch(1)] * 30, End()]]
)
def test_each_outcome_comes_once_whatever_ends_the_process(settings: Settings, steps: list[Step]) -> None:
    run = driver(settings)
    run.run([*(scored(n) for n in range(12)), *(labelled(n, "no key") for n in range(12)), *steps])
    assert sorted(outcome.event_id for outcome in outcomes(run)) == sorted(f"t{n}" for n in range(12))


def test_a_later_label_of_a_payment_comes_the_same_way(settings: Settings) -> None:
    """A correction in another partition than the first label's."""
    run = driver(settings)
    run.run([scored(3), End()])
    genuine = msgspec.json.encode(label("t3", T0 + 3 * HOUR, False, T0 + DAY, CARDS[3]))
    run.run([Record(topics.LABELS, 0, 0, None, genuine), End()])
    run.run([labelled(3, "crc32"), End()])
    assert [outcome.positive for outcome in outcomes(run)] == [False, True]


@pytest.mark.parametrize("first", ["payments", "labels"])
@pytest.mark.parametrize("restart", [False, True])
def test_a_label_of_another_card_never_joins_whatever_their_partitions(settings: Settings, first: str, restart: bool) -> None:
    """Leading zeros that were lost, say: the two share a partition by chance, and the card says whose payment it was."""
    others = [msgspec.json.encode(label(f"t{n}", T0 + n * HOUR, True, T0 + 2 * DAY, f"0{CARDS[n]}")) for n in range(12)]
    labels = [Record(topics.LABELS, n % PARTITIONS, 0, None, value) for n, value in enumerate(others)]
    clock = [
        Record(topics.SCORES, p, 0, b"z", msgspec.json.encode(score(f"z{p}", T0 + 40 * DAY, "z"))) for p in range(PARTITIONS)
    ]
    payments = [scored(n) for n in range(12)]
    run = driver(settings)
    before = metrics.UNMATCHED._value.get()
    for part in [payments, labels] if first == "payments" else [labels, payments]:
        run.run([*part, End()])
    assert outcomes(run) == []
    run.run([*([Kill()] if restart else []), *clock, End()])
    by_id: dict[str, list[Outcome]] = {}
    for outcome in outcomes(run):
        by_id.setdefault(outcome.event_id, []).append(outcome)
    assert sorted(by_id) == sorted(f"t{n}" for n in range(12))
    for several in by_id.values():
        assert sorted((o.positive, o.source, o.score is None) for o in several) == [
            (False, "matured", False),
            (True, "chargeback", True),
        ]
    assert metrics.UNMATCHED._value.get() == before + 12
