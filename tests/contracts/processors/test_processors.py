"""One suite for every processor's core: whatever ends it in between, and wherever batches are cut, the same comes out.

Run without a broker (``streams.engine.testing``); how the group itself behaves is seen on one (``tests/integration``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from features.base.events import DeadLetter
from features.base.settings import Settings
from streams import topics
from streams.engine import metrics
from streams.engine.core import Output, Snapshotted
from streams.engine.moved_header import moved
from streams.engine.testing import Abort, Batch, Driver, End, Kill, Move, Snapshot, Step, Written
from streams.kafka.records import Record
from tests.contracts.found import modules
from tests.contracts.processors.contract import PARTITIONS, Contract

CONTRACTS: dict[str, Contract] = {
    module.__name__.rsplit(".", 1)[1]: module.CONTRACT
    for module in modules("tests.contracts.processors")
    if hasattr(module, "CONTRACT")
}

pytestmark = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)


class Outcome(NamedTuple):
    """What a run left: records by topic, or by topic and key where their order counts, and what the sink holds."""

    records: dict[object, list[object]]
    held: object
    driver: Driver


Play = Callable[..., Outcome]


@pytest.fixture
def play(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Runs a script in a world of its own: records first, unless the script brings its own."""

    def run(*steps: Step, records: list[Record] | None = None) -> Outcome:
        settings = contract.settings(Settings(dir=tmp_path_factory.mktemp("world"), partitions=PARTITIONS))
        sink = contract.sink(settings)
        driver = Driver(settings, lambda: contract.make(settings), sink)
        driver.run([*(contract.records() if records is None else records), *steps])
        return Outcome(records_by_place(contract, driver), contract.holds(settings, sink), driver)

    return run


_UNBROKEN: dict[Contract, Outcome] = {}


@pytest.fixture
def unbroken(contract: Contract, play: Play) -> Outcome:
    """All records in large batches, and nothing in between; once for all tests."""
    if contract not in _UNBROKEN:
        _UNBROKEN[contract] = play(End())
    return _UNBROKEN[contract]


def records_by_place(contract: Contract, driver: Driver) -> dict[object, list[object]]:
    by_place: dict[object, list[object]] = {}
    for topic in driver.core.outputs:
        for record in driver.read(topic):
            if topic in driver.core.inputs and moved(record) is None:
                continue  # what came in
            place = (topic, record.key) if contract.ordered and topic != topics.DLQ else topic
            assert record.value is not None
            by_place.setdefault(place, []).append((record.key, contract.says(topic, record.value)))
    return {place: values if contract.ordered else sorted(values, key=repr) for place, values in by_place.items()}


def cut(seed: int, records: int, *between: Step) -> list[Step]:
    """Batches of any size, with the steps spread among them, in their order."""
    rng = np.random.default_rng(seed)
    batches: list[Step] = []
    while records > 0:
        batches.append(Batch(int(rng.integers(1, 2 + records // 3))))
        records -= batches[-1].records  # type: ignore[union-attr] # it is one
    places = np.sort(rng.integers(1, len(batches) + 1, len(between)))
    for place, step in reversed(list(zip(places.tolist(), between, strict=True))):
        batches.insert(place, step)
    return [*batches, End()]


def same(outcome: Outcome, other: Outcome) -> None:
    assert outcome.records == other.records
    assert outcome.held == other.held


def test_something_comes_of_every_input_and_to_every_output(contract: Contract, unbroken: Outcome) -> None:
    """A topic that is not declared is not there to be written to, so the run itself shows that none is."""
    core = unbroken.driver.core
    known = {topic.name for topic in topics.all_topics(PARTITIONS)}
    assert {*core.inputs, *core.outputs} <= known
    assert set(core.replays) <= set(core.inputs)
    assert {record.topic for record in contract.records()} == set(core.inputs)
    written = {place[0] if isinstance(place, tuple) else place for place in unbroken.records}
    assert written | {topics.DLQ} == set(core.outputs)
    assert unbroken.held or written - {topics.DLQ}


@pytest.mark.parametrize("seed", [1, 2])
def test_batches_may_be_cut_anywhere(contract: Contract, play: Play, unbroken: Outcome, seed: int) -> None:
    same(play(*cut(seed, len(contract.records()))), unbroken)


def test_one_record_at_a_time_is_as_good_as_all_at_once(contract: Contract, play: Play) -> None:
    few = contract.records()[:60]
    same(play(*[Batch(1)] * 60, End(), records=few), play(End(), records=few))


def test_a_restart_goes_on_as_if_nothing_had_been(contract: Contract, play: Play, unbroken: Outcome) -> None:
    same(play(*cut(3, len(contract.records()), Kill(), Kill(committing=True), Kill())), unbroken)


def test_a_transaction_that_is_given_up_leaves_nothing(contract: Contract, play: Play, unbroken: Outcome) -> None:
    same(play(*cut(4, len(contract.records()), Abort(), Abort())), unbroken)


def test_partitions_that_go_to_another_member_and_come_back_lose_nothing(
    contract: Contract, play: Play, unbroken: Outcome
) -> None:
    first, second = (None, None) if contract.whole else ((0,), (1,))
    moves = Move(first, Batch(20)), Move(second, Batch(5), lost=True), Move(None)
    same(play(*cut(5, len(contract.records()), *moves)), unbroken)


def test_a_snapshot_of_a_running_stream_is_gone_on_from(contract: Contract, play: Play, unbroken: Outcome) -> None:
    records = contract.records()
    core = unbroken.driver.core
    if not isinstance(core, Snapshotted):
        assert not hasattr(core, "load"), "a core with half of a snapshot's methods"
        return
    third = len(records) // 3
    replayed = metrics.RESTORED.labels(core.name)
    before = replayed._value.get()
    steps = [Batch(third), Snapshot(), *[Batch(3)] * (third // 3), Written(), Kill(), End()]
    same(play(*steps), unbroken)
    assert replayed._value.get() - before <= third + 3, "the log behind the snapshot is all that was read again"


def test_what_is_forgotten_leaves_nothing(contract: Contract, tmp_path: Path) -> None:
    settings = contract.settings(Settings(dir=tmp_path, partitions=PARTITIONS))
    records = offsets(contract.records())
    core, fresh = contract.make(settings), contract.make(settings)
    places = sorted({(record.topic, record.partition) for record in records})
    core.process(records[: len(records) // 2])
    core.forget(places)
    core.restore(records[: len(records) // 2])
    core.forget(places)
    assert contents(contract, core.process(records)) == contents(contract, fresh.process(records))


def offsets(records: list[Record]) -> list[Record]:
    ends: dict[tuple[str, int], int] = {}
    log = []
    for record in records:
        place = record.topic, record.partition
        log.append(msgspec.structs.replace(record, offset=ends.get(place, 0)))
        ends[place] = ends.get(place, 0) + 1
    return log


def contents(contract: Contract, output: Output) -> list[object]:
    return [*((item.topic, contract.says(item.topic, item.value)) for item in output.produce), *map(repr, output.rows)]


@pytest.mark.parametrize("value", [b"{", None, b"[]"], ids=["no JSON", "no value", "another kind"])
def test_a_bad_record_is_one_dead_letter_and_stops_nobody(
    contract: Contract, play: Play, unbroken: Outcome, value: bytes | None
) -> None:
    good = contract.records()
    place = len(good) // 2
    bad = [Record(topic, 0, 0, b"who", value, [("trace", b"1")]) for topic in unbroken.driver.core.inputs]
    outcome = play(*cut(6, len(good) + len(bad), Kill()), records=[*good[:place], *bad, *good[place:]])
    letters: dict[str, list[DeadLetter]] = {topic: [] for topic in outcome.driver.core.inputs}
    for record in outcome.driver.read(topics.DLQ):
        letter = msgspec.json.decode(record.value or b"", type=DeadLetter)
        if letter.key == b"who":
            letters[letter.topic].append(letter)
    for topic, (letter, *more) in letters.items():
        assert more == []
        before = sum(1 for record in good[:place] if (record.topic, record.partition) == (topic, 0))
        assert (letter.partition, letter.offset, letter.value) == (0, before, value)
        assert letter.processor == outcome.driver.core.name
        assert letter.error
        assert letter.message
        assert letter.headers == [("trace", b"1")]
    assert outcome.held == unbroken.held
    assert {place: values for place, values in outcome.records.items() if place != topics.DLQ} == {
        place: values for place, values in unbroken.records.items() if place != topics.DLQ
    }
