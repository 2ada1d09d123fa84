"""Partitions that come and go with their state, and what a member believes of what is committed: without a broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from features.base.settings import SettingsError
from streams.engine.core import Output
from streams.engine.replay_log import replay
from streams.engine.settings_history import History, Since
from streams.engine.snapshot_store import Snapshot as Stored
from streams.engine.snapshot_store import Store
from streams.engine.testing import Batch, Driver, End, Move, Snapshot, Step, Written
from streams.kafka.committed import Commit
from streams.kafka.records import Record
from tests.counting import RunningCount, SnapshottedCount, expected
from tests.unit.streams.engine.driven import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class Waiting(RunningCount):
    """Waits at its first batch until it is let go on, as the scorer does for its model server."""

    def __init__(self, source: str, target: str, wait: Callable[[float], None]) -> None:
        super().__init__(source, target)
        self._wait = wait
        self.goes_on = False

    def process(self, records: Sequence[Record]) -> Output:
        output = super().process(records)
        while not self.goes_on:
            self._wait(0.005)
        return output


def snapshotted(world: World, driver: Driver) -> SnapshottedCount:
    assert isinstance(driver.core, SnapshottedCount)
    return driver.core


def commit(world: World, driver: Driver, *offsets: int) -> None:
    """As a coordinator would say them."""
    driver.cluster.commit(driver.group, {(world.source, p): Commit(offset, None) for p, offset in enumerate(offsets)})


def test_a_batch_that_waits_while_its_partition_moves_is_done_by_its_new_owner(world: World) -> None:
    values = [f"v{i}".encode() for i in range(200)]
    first = Waiting(world.source, world.target, world.wait)
    second = RunningCount(world.source, world.target)
    cores = iter([first, second])
    driver = world.driver(lambda: next(cores))
    health: list[list[str]] = []

    def go_on() -> None:
        first.goes_on = True

    driver.run(
        [
            *world.records(values),
            Batch(20),
            lambda: health.append(world.shell.health()),
            Move((0,), Batch(30)),
            go_on,
            End(),
        ]
    )
    assert health == [[]]
    assert second.restored == 0, "nothing of the batch that waited was committed"
    assert world.outputs(driver) == expected(values)


def test_a_stop_ends_the_waiting_and_nothing_of_the_batch_is_committed(world: World) -> None:
    values = [f"v{i}".encode() for i in range(100)]
    waiting = Waiting(world.source, world.target, world.wait)
    cores = iter([waiting, RunningCount(world.source, world.target)])
    driver = world.driver(lambda: next(cores))
    driver.run([*world.records(values), Batch(100), world.stop])
    assert waiting.seen == {}, "what it held went with its partitions"
    assert driver.read(world.target) == []
    assert driver.committed() == {}
    driver.run([End()])
    assert world.outputs(driver) == expected(values)


def test_a_restart_goes_on_from_the_snapshot_and_without_one_from_the_log(world: World, tmp_path: Path) -> None:
    values = [f"v{i}".encode() for i in range(900)]
    driver = world.driver(lambda: SnapshottedCount(world.source, world.target))
    driver.run([*world.records(values[:300]), End()])
    assert len(sorted(tmp_path.rglob("*.snapshot"))) == 2

    driver.run([*world.records(values[300:600]), End()])
    assert snapshotted(world, driver).restored == 0, "all of it came from the snapshots"

    for path in sorted(tmp_path.rglob("*.snapshot"))[-1::-2]:
        path.write_bytes(path.read_bytes()[:-40])
    driver.run([*world.records(values[600:]), End()])
    assert snapshotted(world, driver).restored == 300, "the newest one is torn: the older one, and the log behind it"

    for path in tmp_path.rglob("*.snapshot"):
        path.unlink()
    driver.run([End()])
    # Commit markers take offsets, and are no records.
    assert snapshotted(world, driver).restored == 900
    assert snapshotted(world, driver).late == []
    assert world.outputs(driver) == expected(values)


def test_snapshots_are_taken_while_the_stream_runs(world: World, tmp_path: Path) -> None:
    driver = world.driver(lambda: SnapshottedCount(world.source, world.target))
    for part in range(3):
        driver.cluster.publish(world.records([f"v{part}-{i}".encode() for i in range(40)]))
    offsets: list[list[int]] = []

    def look() -> None:
        offsets.append(driver.snapshots().offsets(world.source, 0))

    steps: list[Step] = [Batch(20), Snapshot(), Batch(10), Written(), look]
    driver.run(steps * 3)
    # As of when a copy was begun, which is after the batch in hand then; the newest two are kept.
    assert offsets == [[15], [30, 15], [45, 30]]


def test_a_log_that_was_cut_off_is_said_and_the_state_begins_late(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    driver = world.driver(lambda: SnapshottedCount(world.source, world.target))
    driver.run([*world.records([f"v{i}".encode() for i in range(100)]), End()])
    for path in tmp_path.rglob("*.snapshot"):
        path.unlink()
    driver.cluster.log((world.source, 0)).trim(30)
    seen: list[dict[int, int]] = []
    driver.run([lambda: seen.append(dict(snapshotted(world, driver).seen))])
    assert seen == [{0: 20, 1: 50}]
    assert snapshotted(world, driver).late == [0]
    assert "history is lost, and 0 records that were never processed" in caplog.text


def test_a_state_whose_log_is_cut_beneath_it_is_kept(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """No snapshot was due: what was counted is nowhere but in memory. w0 is in hand as the cut is seen, and 9 went unread."""
    driver = world.driver(lambda: SnapshottedCount(world.source, world.target))
    first, more = ([f"{name}{i}".encode() for i in range(100)] for name in "vw")
    log, seen = driver.cluster.log((world.source, 0)), list[dict[int, int]]()

    def look() -> None:
        seen.append(dict(snapshotted(world, driver).seen))

    driver.run([*world.records(first), End(), *world.records(more), lambda: log.trim(log.stable - 40), End(), look])
    assert seen == [{0: 51 + 40, 1: 100}]
    assert snapshotted(world, driver).late == [0]
    assert "9 records that were never processed" in caplog.text
    outputs = world.outputs(driver)
    assert outputs.count(b"b'w0'=51") == 1
    assert len(outputs) == 100 + 1 + 40 + 50


def test_snapshots_of_another_cluster_in_the_same_folder_are_left_alone(world: World, tmp_path: Path) -> None:
    """Offsets of another log: neither gone on from nor removed, wherever they lie."""
    others = Store(world.settings.snapshot_root, f"count-{world.source}").of_cluster("another")
    for offset in (10, 5000):
        others.write(world.source, 0, Stored(offset, "1", {"count": np.array([1000])}))
    values = [f"v{i}".encode() for i in range(100)]
    driver = world.driver(lambda: SnapshottedCount(world.source, world.target))
    for part in (values[:50], values[50:]):
        driver.run([*world.records(part), End()])
    assert world.outputs(driver) == expected(values)
    assert others.offsets(world.source, 0) == [5000, 10]
    root = Path(world.settings.snapshot_root)
    assert {path.relative_to(root).parts[0] for path in root.rglob("*.snapshot")} == {"another", driver.cluster.cluster_id}


class Limits(RunningCount):
    """Notes by what limits its partitions were processed."""

    def __init__(self, source: str, target: str, limits: tuple[int, ...]) -> None:
        super().__init__(source, target)
        self.limits = limits
        self.histories: dict[int, History] = {}

    def decided(self, partition: tuple[str, int], history: History) -> None:
        self.histories[partition[1]] = history


def test_a_processor_knows_by_what_limits_its_log_was_processed(world: World) -> None:
    lives = [
        ((7, 1), (Since(0, (7, 1)),)),
        ((7, 1), (Since(0, (7, 1)),)),
        ((9, 1), (Since(0, (7, 1)), Since(4, (9, 1)))),
        ((7, 1), (Since(0, (7, 1)), Since(4, (9, 1)), Since(6, (7, 1)))),
    ]
    cores = [Limits(world.source, world.target, limits) for limits, _ in lives]
    left = iter(cores)
    driver = world.driver(lambda: next(left))
    for core, (_, history) in zip(cores, lives, strict=True):
        driver.run([*[Record(world.source, 0, 0, b"k", b"v")] * 2, End()])
        assert core.histories[0] == history


def test_offsets_behind_a_snapshot_are_not_believed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.kafka.trusted_offsets._AGAIN_S", 0.01)
    values = [f"v{i}".encode() for i in range(200)]
    driver = world.driver(lambda: SnapshottedCount(world.source, world.target))
    driver.run([*world.records(values[:100]), End()])  # its end leaves a snapshot
    commit(world, driver, 20, 20)
    thread = threading.Thread(target=driver.run, args=([*world.records(values[100:]), End()],))
    thread.start()
    deadline = time.monotonic() + 30
    while not any("there is a snapshot of what was committed up to 50" in reason for reason in world.shell.health()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert world.outputs(driver) == expected(values[:100])
    commit(world, driver, 50, 50)
    thread.join(30)
    assert not thread.is_alive()
    assert world.outputs(driver) == expected(values)


def test_a_snapshot_beyond_the_log_is_of_another_log(world: World) -> None:
    driver = world.driver(lambda: SnapshottedCount(world.source, world.target))
    for number in (0, 1):
        driver.snapshots().write(world.source, number, Stored(999, "1", {"count": np.array([5])}))
    values = [f"v{i}".encode() for i in range(100)]
    driver.run([*world.records(values), End()])
    assert world.outputs(driver) == expected(values)


def test_a_stop_while_a_log_is_read_again_leaves_no_half_state(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopping(SnapshottedCount):
        def restore(self, records: Sequence[Record]) -> None:
            super().restore(records)
            world.shell.stop()

    values = [f"v{i}".encode() for i in range(200)]
    kinds = iter([SnapshottedCount, Stopping, SnapshottedCount])
    driver = world.driver(lambda: next(kinds)(world.source, world.target))
    driver.run([*world.records(values), End()])
    for path in tmp_path.rglob("*.snapshot"):
        path.unlink()
    monkeypatch.setattr("streams.engine.assignment.replay", partial(replay, batch=10))
    driver.run([End()])
    assert 0 < snapshotted(world, driver).restored < 200
    assert list(tmp_path.rglob("*.snapshot")) == []
    driver.run([*world.records(more := [b"w0", b"w1"]), End()])
    assert world.outputs(driver) == expected(values + more)


def test_a_log_that_ends_before_what_is_committed_is_left_to_a_person(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another log, or one that lost its end: read from its beginning or its end, one of the two would repeat or lose records."""
    monkeypatch.setattr("streams.engine.assignment._BACK_S", 0.05)
    monkeypatch.setattr("streams.engine.assignment._LOOK_AGAIN_S", 0.01)
    driver = world.driver(lambda: SnapshottedCount(world.source, world.target))
    commit(world, driver, 20, 5000)
    message = rf"{world.source}\[1\] ends at 50, and count-{world.source} has read it up to 5000: .*--reset-offsets"
    driver.cluster.publish(world.records([f"v{i}".encode() for i in range(100)]))
    with pytest.raises(SettingsError, match=message):
        driver.run([End()])
    assert driver.read(world.target) == []
