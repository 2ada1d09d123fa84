"""The scorer's steps: ``python -m benchmarks.streams.phases OUT`` runs it until SIGTERM with a clock around each step of a batch.

The clocks turn once a batch, so they cost nothing, other than cProfile's, which turn at every call. They show CPU time of the
loop's thread; the rest of the process's (librdkafka's and gRPC's threads) is told apart. The first batches are left out.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer

from features.base.gc_tuning import spare_collections
from features.base.settings import Settings, load
from features.online.cached_reader import Reader
from infra.platform import scorer
from streams.engine.codec import BatchDecoder
from streams.engine.core import Core
from streams.engine.shell import Shell
from streams.kafka.records import Partition, Record
from streams.kafka.transactions import Transactions
from streams.scoring import intake
from streams.scoring import scorer as module
from streams.scoring.intake import Intake
from streams.scoring.scorer import Scorer

_WARM_EVENTS = 25_000
#: What is timed: the owner of a function, its name, and what it does.
_STEPS: tuple[tuple[Any, str, str], ...] = (
    (Shell, "_poll", "take records from librdkafka"),
    (BatchDecoder, "decode", "decode JSON"),
    (Intake, "take", "admission: encode again, hash, look up"),
    (intake, "from_events", "columns"),
    (Scorer, "_vectors", "the transform"),
    (Reader, "read", "profiles from memory and Redis"),
    (module, "fill", "profiles into the vectors"),
    (Scorer, "_predict", "call the model server"),
    (module, "score_records", "encode scores and alerts"),
    (Transactions, "run", "produce and commit"),
)


class Phase(msgspec.Struct, frozen=True):
    """A step: CPU microseconds an event in the loop's thread, and wall microseconds, waiting included."""

    what: str
    cpu_us: float
    wall_us: float


class Phases(msgspec.Struct, frozen=True):
    """Of ``events``: CPU microseconds an event of the loop's thread and of the whole process, and the steps in their order."""

    events: int
    loop_us: float
    process_us: float
    phases: list[Phase]


class Clocks:
    """CPU and wall seconds by step, each without the steps within it."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}
        self._within: list[tuple[float, float]] = []

    def around(self, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, timed."""

        def timed(*arguments: Any) -> Any:
            self._within.append((0.0, 0.0))
            cpu, wall = time.thread_time(), time.perf_counter()
            try:
                return call(*arguments)
            finally:
                cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
                inner_cpu, inner_wall = self._within.pop()
                before = self.seconds.get(what, (0.0, 0.0))
                self.seconds[what] = before[0] + cpu - inner_cpu, before[1] + wall - inner_wall
                if self._within:
                    outer = self._within[-1]
                    self._within[-1] = outer[0] + cpu, outer[1] + wall

        return timed

    def phases(self, events: int, loop_s: float, process_s: float) -> Phases:
        """By the event, of CPU seconds of the loop's thread and of the process."""
        steps = [Phase(what, cpu / events * 1e6, wall / events * 1e6) for what, (cpu, wall) in self.seconds.items()]
        return Phases(events, loop_s / events * 1e6, process_s / events * 1e6, steps)


class Timed(Shell):
    """Counts the events of its batches, and knows where its clocks stood after the first ones and after the last."""

    def __init__(self, settings: Settings, core: Core, clocks: Clocks) -> None:
        super().__init__(settings, core)
        self._clocks = clocks
        self._done = 0
        self._began: tuple[int, float, float] | None = None
        self._ended: Phases | None = None

    def _turn(self, source: Consumer, records: Sequence[Record], newest: dict[Partition, int]) -> None:
        if self._began is None and self._done >= _WARM_EVENTS:
            self._clocks.seconds.clear()
            self._began = self._done, time.thread_time(), time.process_time()
        super()._turn(source, records, newest)
        self._done += len(records)
        if self._began is not None:
            done, loop_s, process_s = self._began
            self._ended = self._clocks.phases(self._done - done, time.thread_time() - loop_s, time.process_time() - process_s)

    @property
    def phases(self) -> Phases:
        """Up to the last batch. Raises ValueError where there were only the first ones."""
        if self._ended is None:
            raise ValueError(f"no batch after the first {_WARM_EVENTS:,} events; give the scorer more")
        return self._ended


def main(arguments: list[str]) -> int:
    """0 after SIGTERM."""
    clocks = Clocks()
    for owner, name, what in _STEPS:
        setattr(owner, name, clocks.around(what, getattr(owner, name)))
    settings = load().as_user("scorer")
    shell = Timed(settings, scorer.core(settings), clocks)
    spare_collections()
    signal.signal(signal.SIGTERM, lambda *_: shell.stop())
    shell.run()
    Path(arguments[0]).write_bytes(msgspec.json.encode(shell.phases))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
