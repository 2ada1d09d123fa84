"""``python -m benchmarks.streams.state``: bytes a card, snapshots and restores, and how the state's size tells on its speed."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import machine, write
from benchmarks.streams.tables.state import Growth, Held, Kept, State, section
from benchmarks.transform.events import simulated
from features.base.sections import Scoring, Snapshots
from features.history.version import state_version
from features.transform.columns import Columns
from streams.engine.snapshot_store import Snapshot, Store
from streams.scoring.intake import admission
from streams.scoring.partition_state import PartitionState

_BATCH = 4_000
_LIMIT = 1_000
#: The state at 60 transactions a card in 30 days.
_HELD_CARDS, _HELD_DAYS, _HELD_DAILY = 10_000, 30, 2.0
#: The state as it grows: transactions a card before the measurement, in so many days.
_ROWS, _DAYS = 6, 30
_MEASURED = 100_000
_WARM_CARDS = 1_000


def main(arguments: list[str] | None = None) -> int:
    """0."""
    options = _parser().parse_args(arguments)
    write(run(options.cards), options.json)
    print(section(options.json))
    return 0


def run(sizes: list[int]) -> State:
    """``sizes``: cards of the states that are measured."""
    on = machine()
    _keep(_grow(_WARM_CARDS)[1])  # compiles
    held, kept = _held()
    all_kept, growth = [kept], []
    for subjects in sizes:
        grown, made = _grow(subjects)
        growth.append(grown)
        print(f"{subjects:,} cards: {grown.events / grown.cpu_s:,.0f} events a CPU second", file=sys.stderr)
        if subjects == max(sizes):
            all_kept.append(_keep(made))
    return State(on, held, all_kept, growth)


def _empty() -> PartitionState:
    return PartitionState(admission(Scoring()))


def _held() -> tuple[Held, Kept]:
    stream = simulated(_HELD_CARDS, _HELD_DAYS, _HELD_DAILY)
    made = _empty()
    for batch, hashes in _batches(stream.columns, stream.subject, 0, len(stream)):
        _take(made, batch, hashes)
    kept = _keep(made)
    rows = made.subjects.rows
    size = int(kept.mb * 1e6)
    return Held(made.subjects.subjects, rows, _HELD_DAYS, made.subjects.nbytes, made.admission.nbytes, size), kept


def _grow(subjects: int) -> tuple[Growth, PartitionState]:
    """Fill a state, then measure. The stream goes on as it was: time, cards and all."""
    filling = subjects * _ROWS
    events = filling + _MEASURED
    days = max(1, round(_DAYS * events / filling))
    stream = simulated(subjects, days, events / subjects / days)
    begin = len(stream) - _MEASURED
    made = _empty()
    for batch, hashes in _batches(stream.columns, stream.subject, 0, begin):
        _take(made, batch, hashes)
    prepared = list(_batches(stream.columns, stream.subject, begin, len(stream)))
    used = time.process_time()
    for batch, hashes in prepared:
        _take(made, batch, hashes)
    cpu = time.process_time() - used
    growth = Growth(
        made.subjects.subjects,
        made.subjects.rows / made.subjects.subjects,
        _MEASURED,
        round(cpu, 3),
        round(made.nbytes / 2**20, 1),
    )
    return growth, made


def _batches(
    columns: Columns, subject: NDArray[np.int64], begin: int, end: int
) -> Iterator[tuple[Columns, tuple[NDArray[np.int64], NDArray[np.int64]]]]:
    """The events in batches; with each, hashes of its ids (and bodies), and of its cards."""
    draw = np.random.default_rng(begin)
    for at in range(begin, end, _BATCH):
        rows = np.arange(at, min(at + _BATCH, end))
        ids = draw.integers(1, 2**62, len(rows))
        yield columns.take(rows), (ids, subject[rows])


def _take(made: PartitionState, batch: Columns, hashes: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
    ids, subjects = hashes
    made.admission.admit(ids, ids, subjects, batch.event_time_ms)
    made.update(batch, _LIMIT)


def _keep(made: PartitionState) -> Kept:
    """Copy, write, read and load."""
    a_step = Snapshots().subjects_a_step
    pauses = []
    used = time.process_time()
    began = time.perf_counter()
    copy = made.copy(a_step)
    pauses.append(time.perf_counter() - began)
    while not copy.done:
        began = time.perf_counter()
        copy.step()
        pauses.append(time.perf_counter() - began)
    copy_cpu = time.process_time() - used
    with tempfile.TemporaryDirectory(prefix="snapshots-") as folder:
        store = Store(folder, "scorer")
        began, used = time.perf_counter(), time.process_time()
        size = store.write("transactions", 0, Snapshot(1, state_version(), copy.arrays()))
        written, written_cpu = time.perf_counter() - began, time.process_time() - used
        subjects, rows = made.subjects.subjects, made.subjects.rows
        del copy
        began, used = time.perf_counter(), time.process_time()
        snapshot = store.newest("transactions", 0, state_version(), 1)
        if snapshot is None:
            raise RuntimeError("the snapshot that was just written is not found")
        read = time.perf_counter() - began
        other = _empty()
        other.load(snapshot.arrays)
        load = time.perf_counter() - began - read
        cpu = time.process_time() - used
    if (other.subjects.subjects, other.subjects.rows) != (subjects, rows):
        raise RuntimeError(f"{other.subjects.rows} rows came back of {rows}")
    return Kept(
        subjects,
        rows,
        size / 1e6,
        a_step,
        len(pauses) - 1,
        round(max(pauses) * 1000, 2),
        round(copy_cpu, 3),
        round(written, 3),
        round(written_cpu, 3),
        round(read, 3),
        round(load, 3),
        round(cpu, 3),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmarks.streams.state", description=__doc__)
    parser.add_argument("--cards", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="sizes of the growing state")
    parser.add_argument("--json", type=Path, required=True, help="write the result here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
