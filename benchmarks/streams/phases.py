"""The scorer's steps: ``python -m benchmarks.streams.phases OUT`` runs it until SIGTERM with a clock around each step of a batch.

The clocks turn once a batch, so they cost nothing, other than cProfile's, which turn at every call. They show CPU time of the
loop's thread; the rest of the process's (librdkafka's and gRPC's threads) is told apart. The first batches are left out.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from features.reading import Reader
from features.settings import load
from infra.run import SHELLS
from streams import scorer as module
from streams.codec import BatchDecoder
from streams.commit import Transactions
from streams.scorer import Scorer
from streams.shell import Shell

_WARM_EVENTS = 25_000
#: What is timed: the owner of a function, its name, and what it does.
_STEPS: tuple[tuple[Any, str, str], ...] = (
    (Shell, "_poll", "take records from librdkafka"),
    (BatchDecoder, "decode", "decode JSON"),
    (Scorer, "_taken", "admission: encode again, hash, look up"),
    (module, "from_transactions", "columns"),
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
    """CPU and wall seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}

    def around(self, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, timed."""

        def timed(*arguments: Any) -> Any:
            cpu, wall = time.thread_time(), time.perf_counter()
            try:
                return call(*arguments)
            finally:
                before = self.seconds.get(what, (0.0, 0.0))
                self.seconds[what] = before[0] + time.thread_time() - cpu, before[1] + time.perf_counter() - wall

        return timed


def main(arguments: list[str]) -> int:
    """0 after SIGTERM."""
    clocks = Clocks()
    for owner, name, what in _STEPS:
        setattr(owner, name, clocks.around(what, getattr(owner, name)))
    shell = SHELLS["scorer"](load().as_user("scorer"))
    assert isinstance(shell, Shell)
    signal.signal(signal.SIGTERM, lambda *_: shell.stop())
    done = 0
    start: list[float] = []
    end: list[float] = []
    turn = shell._turn

    def counted(source, records, newest):  # type: ignore[no-untyped-def]
        nonlocal done
        if not start and done >= _WARM_EVENTS:
            clocks.seconds.clear()
            start.extend((time.thread_time(), time.process_time(), done))
        turn(source, records, newest)
        done += len(records)
        end[:] = time.thread_time(), time.process_time(), done

    shell._turn = counted  # type: ignore[method-assign]
    shell.run()
    events = int(end[2] - start[2])
    phases = [Phase(what, cpu / events * 1e6, wall / events * 1e6) for what, (cpu, wall) in clocks.seconds.items()]
    loop, process = ((b - a) / events * 1e6 for a, b in zip(start[:2], end[:2], strict=True))
    Path(arguments[0]).write_bytes(msgspec.json.encode(Phases(events, loop, process, phases)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
