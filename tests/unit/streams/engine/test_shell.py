"""The shell's loop, without a broker: what it commits, counts and says of itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from streams.engine import metrics
from streams.engine.core import Output
from streams.engine.testing import Batch, End, Kill
from streams.kafka.records import Produce, Record
from tests.counting import RunningCount, expected
from tests.unit.streams.engine.driven import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class Wrapped(RunningCount):
    """Does something as it is handed a batch, and something to what follows from it."""

    before: Callable[[], None] = staticmethod(lambda: None)
    after: Callable[[Output], None] = staticmethod(lambda output: None)

    def process(self, records: Sequence[Record]) -> Output:
        self.before()
        output = super().process(records)
        self.after(output)
        return output


def test_the_lag_is_told_while_there_is_one(world: World) -> None:
    core = Wrapped(world.source, world.target)
    batch_lags: list[list[float]] = []

    def lags() -> list[float]:
        return [metrics.LAG.labels(core.name, world.source, p)._value.get() for p in (0, 1)]

    def look() -> None:
        if not batch_lags:
            world.shell.wait(0.01)  # while it waits, nothing is fetched that could tell
        batch_lags.append(lags())

    core.before = look  # a core that looks at the metric within each batch
    driver = world.driver(lambda: core)
    last: list[list[float]] = []
    driver.run([*world.records([b"v"] * 400), *[Batch(20)] * 20, lambda: last.append(lags())])
    assert batch_lags[0] == [200, 200]
    assert batch_lags[1:] == [[200 - 10 * n, 200 - 10 * n] for n in range(1, 20)]
    assert last == [[0, 0]]


def test_a_stop_commits_the_batch_in_hand_and_takes_no_other(world: World) -> None:
    values = [f"v{i}".encode() for i in range(50)]
    stopping = Wrapped(world.source, world.target)
    batches: list[int] = []
    stopping.before = world.stop  # the signal comes within the batch
    stopping.after = lambda output: batches.append(len(output.produce))
    cores = iter([stopping, RunningCount(world.source, world.target)])
    driver = world.driver(lambda: next(cores))
    driver.run([*world.records(values), Batch(20), End()])
    assert batches == [20]
    assert len(driver.read(world.target)) == 20
    assert driver.committed() == {(world.source, 0): 10, (world.source, 1): 10}
    driver.run([End()])
    assert world.outputs(driver) == expected(values)


def test_a_dead_letter_counts_once_whatever_happens_to_its_batch(world: World) -> None:
    failing = RunningCount(world.source, world.target)
    failing.fail_at = 2
    cores = iter([failing, *(RunningCount(world.source, world.target) for _ in range(2))])
    counted = metrics.DLQ.labels(failing.name, "ValueError")
    driver = world.driver(lambda: next(cores))
    with pytest.raises(RuntimeError, match="on purpose"):
        driver.run([*world.records([b"bad", b"a", b"b", b"c"]), End()])
    assert counted._value.get() == 0
    driver.run([End(), Kill(), End()])
    assert isinstance(driver.core, RunningCount)
    assert driver.core.restored == 4
    assert counted._value.get() == 1


def test_the_event_time_lag_grows_while_the_stream_stands(world: World) -> None:
    core = Wrapped(world.source, world.target)

    def date(output: Output) -> None:
        output.newest_ms = 1_767_600_000_000

    core.after = date  # a core that knows event times
    world.driver(lambda: core).run([*world.records([b"a", b"b"]), End()])

    def lag() -> float:
        lag_s = REGISTRY.get_sample_value("driftloop_event_time_lag_seconds", {"processor": core.name})
        assert lag_s is not None
        return lag_s

    first = lag()
    assert first == pytest.approx(time.time() - 1_767_600_000, abs=5)
    time.sleep(0.01)
    assert lag() > first


def test_a_batch_that_is_never_taken_turns_health_red(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.engine.shell.STUCK_S", 0.5)
    core = Wrapped(world.source, world.target)
    red: list[str] = []

    def spoil(output: Output) -> None:
        red.extend(reason for reason in world.shell.health() if "each transaction has been given up for" in reason)
        if not red:
            output.produce.append(Produce(world.target, None, b"x" * 5_000_000, 0))

    core.after = spoil  # a core that gives what no topic takes
    driver = world.driver(lambda: core)
    health: list[list[str]] = []
    driver.run([*world.records([b"a", b"b"]), End(), lambda: health.append(world.shell.health())])
    assert len(red) == 1
    assert health == [[]]
    assert world.outputs(driver) == expected([b"a", b"b"])
    gone = {"processor": core.name, "topic": world.source, "partition": "0"}
    assert REGISTRY.get_sample_value("driftloop_lag_records", gone) is None


def test_a_member_without_partitions_is_not_healthy(world: World) -> None:
    driver = world.driver(lambda: RunningCount(world.source, world.target))
    health: list[list[str]] = []
    driver.run([lambda: health.append(world.shell.health())])
    assert health == [[]]
    assert world.health_before == [[f"{driver.group}: the group has assigned no partitions"]]
