"""When snapshots are taken, and that one that cannot be written or read stops nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.engine.metrics import SNAPSHOT_AGE, SNAPSHOT_FAILURES
from streams.engine.snapshot_schedule import Keeper
from streams.engine.snapshot_store import Snapshot, Store

PLACE = ("t", 0)


class Three:
    """A copy that takes three steps."""

    def __init__(self, value: int) -> None:
        self.steps = 0
        self.value = value

    @property
    def done(self) -> bool:
        return self.steps >= 3

    def step(self) -> None:
        self.steps += 1

    def arrays(self) -> dict[str, NDArray[Any]]:
        assert self.done
        return {"value": np.array([self.value])}


class Core:
    """Its state is one number."""

    state_version = "v"

    def __init__(self) -> None:
        self.value = 0
        self.loaded: int | None = None

    def copy(self, partition: int) -> Three:
        return Three(self.value)

    def load(self, partition: int, arrays: dict[str, NDArray[Any]]) -> None:
        self.loaded = int(arrays["value"][0])

    def begins_late(self, partition: int) -> None:
        raise AssertionError("nothing is missing")


class Clock:
    time_s = 0.0

    def __call__(self) -> float:
        return self.time_s


def written(store: Store) -> list[int]:
    """Offsets, once the writer's thread had its time."""
    deadline = time.monotonic() + 5
    offsets = store.offsets(*PLACE)
    while time.monotonic() < deadline:
        time.sleep(0.02)
        before, offsets = offsets, store.offsets(*PLACE)
        if offsets and offsets == before:
            break
    return offsets


@pytest.fixture
def store(tmp_path: Any) -> Store:
    return Store(str(tmp_path), "p")


def test_a_snapshot_is_of_the_offset_at_which_it_was_begun(store: Store) -> None:
    core, clock = Core(), Clock()
    keeper = Keeper(store, "p", core, 60, clock)
    assert keeper.load(PLACE, 5) == 0
    core.value = 7
    keeper.turn({PLACE: 10})
    clock.time_s = 61
    keeper.turn({PLACE: 10})
    for i in range(4):
        core.value += 1
        keeper.turn({PLACE: 11 + i})
    assert written(store) == [10]
    fresh = Core()
    assert Keeper(store, "p", fresh, 60, clock).load(PLACE, 14) == 10
    assert fresh.loaded == 7


def test_nothing_new_means_no_new_snapshot(store: Store) -> None:
    core, clock = Core(), Clock()
    keeper = Keeper(store, "p", core, 60, clock)
    keeper.load(PLACE, 5)
    clock.time_s = 61
    for _ in range(5):
        keeper.turn({PLACE: 10})
    assert written(store) == [10]
    clock.time_s = 200
    for _ in range(5):
        keeper.turn({PLACE: 10})
    keeper.last({PLACE: 10})
    assert written(store) == [10]
    keeper.last({PLACE: 12})
    assert written(store) == [12, 10]


def test_a_path_that_cannot_be_written_is_counted_and_nothing_more(tmp_path: Any) -> None:
    (tmp_path / "file").write_text("no folder")
    keeper = Keeper(Store(str(tmp_path / "file"), "p"), "p", Core(), 60, Clock())
    before = SNAPSHOT_FAILURES.labels("p")._value.get()
    keeper.load(PLACE, 5)
    keeper.last({PLACE: 10})
    assert SNAPSHOT_FAILURES.labels("p")._value.get() > before


def test_the_age_is_that_of_what_was_written(tmp_path: Any) -> None:
    (tmp_path / "file").write_text("no folder")
    clock = Clock()
    keeper = Keeper(Store(str(tmp_path / "file"), "aged"), "aged", Core(), 60, clock)
    keeper.load(PLACE, 5)
    for clock.time_s in (61, 125):
        before = SNAPSHOT_FAILURES.labels("aged")._value.get()
        for _ in range(5):
            keeper.turn({PLACE: int(clock.time_s)})
        deadline = time.monotonic() + 5
        while SNAPSHOT_FAILURES.labels("aged")._value.get() == before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    clock.time_s = 190
    while SNAPSHOT_AGE.labels("aged", 0)._value.get() != 190:  # once the writer's thread is done
        assert time.monotonic() < deadline + 5
        keeper.turn({PLACE: 126})


def test_copies_of_partitions_that_went_away_are_dropped(store: Store) -> None:
    core, clock = Core(), Clock()
    keeper = Keeper(store, "p", core, 60, clock)
    keeper.load(PLACE, 0)
    clock.time_s = 61
    keeper.turn({PLACE: 10})
    keeper.forget({PLACE: 10})
    for _ in range(5):
        keeper.turn({})
    assert store.offsets(*PLACE) == []
    store.write(*PLACE, Snapshot(1, "v", {}))


def test_the_age_grows_while_one_is_written(tmp_path: Any) -> None:
    over = threading.Event()

    class Slow(Store):
        def write(self, topic: str, partition: int, snapshot: Snapshot) -> int:
            assert over.wait(30)
            return super().write(topic, partition, snapshot)

    clock = Clock()
    keeper = Keeper(Slow(str(tmp_path), "slow"), "slow", Core(), 60, clock)
    keeper.load(PLACE, 5)
    clock.time_s = 61
    for _ in range(5):
        keeper.turn({PLACE: 10})
    clock.time_s = 5000
    keeper.turn({PLACE: 10})
    assert SNAPSHOT_AGE.labels("slow", 0)._value.get() == 5000
    over.set()
    keeper.close()


def test_the_age_of_a_loaded_snapshot_is_its_own(store: Store) -> None:
    store.write(*PLACE, Snapshot(5, "v", {"value": np.array([1])}, int((time.time() - 3600) * 1000)))
    clock = Clock()
    keeper = Keeper(store, "old", Core(), 60, clock)
    assert keeper.load(PLACE, 5) == 5
    keeper.turn({PLACE: 5})
    assert SNAPSHOT_AGE.labels("old", 0)._value.get() == pytest.approx(3600, abs=60)


def test_what_is_written_says_when_it_was_begun(store: Store) -> None:
    clock = Clock()
    keeper = Keeper(store, "p", Core(), 60, clock)
    keeper.load(PLACE, 5)
    keeper.last({PLACE: 10})
    newest = store.newest(*PLACE, "v", 10)
    assert newest is not None
    assert newest.at_ms == pytest.approx(time.time() * 1000, abs=60_000)


_HANGS = """
import sys, threading
from streams.engine.snapshot_schedule import Keeper
from streams.engine.snapshot_store import Store
from tests.unit.streams.engine.test_snapshot_schedule import PLACE, Clock, Core

writes = threading.Event()

class Hanging(Store):
    def write(self, *arguments):
        writes.set()
        threading.Event().wait()

clock = Clock()
keeper = Keeper(Hanging(sys.argv[1], "p"), "p", Core(), 60, clock)
keeper.load(PLACE, 5)
clock.time_s = 61
for _ in range(5):
    keeper.turn({PLACE: 10})
assert writes.wait(10)
keeper.close()
print("closed")
"""


def test_a_store_that_hangs_does_not_keep_the_process_from_ending(tmp_path: Any) -> None:
    done = subprocess.run([sys.executable, "-c", _HANGS, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "closed\n"), done.stderr
