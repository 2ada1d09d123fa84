"""Where the scorer's time goes: ``python -m benchmarks.streams.profile OUT`` runs it under cProfile until SIGTERM.

The clock is the CPU time of the loop's thread, so that waiting costs nothing. Profiling itself slows Python's calls, not the C
code: shares of functions that are called for each event are overstated. The first batches (imports, compiling) are left out.
"""

from __future__ import annotations

import cProfile
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import CodeType

import msgspec
from confluent_kafka import Consumer

from features.base.gc_tuning import spare_collections
from features.base.settings import Settings, load
from infra.platform import scorer
from streams.engine.core import Core
from streams.engine.shell import Shell
from streams.kafka.records import Partition, Record

_WARM_BATCHES = 3


class Line(msgspec.Struct, frozen=True):
    """A function: own CPU microseconds an event, calls an event."""

    function: str
    own_us: float
    calls: float


class Profile(msgspec.Struct, frozen=True):
    """Of ``events`` in ``batches``: CPU microseconds an event in all (of the loop's thread, profiled), the costliest first."""

    events: int
    batches: int
    total_us: float
    lines: list[Line]


class Profiled(Shell):
    """Its batches under a profiler, the first ones left out; ``events`` of each of the others."""

    def __init__(self, settings: Settings, core: Core) -> None:
        super().__init__(settings, core)
        self.profiler = cProfile.Profile(time.thread_time)
        self.events: list[int] = []
        self._warm = 0

    def _turn(self, source: Consumer, records: Sequence[Record], newest: dict[Partition, int]) -> None:
        if self._warm < _WARM_BATCHES:
            self._warm += 1
        else:
            if not self.events:
                self.profiler.enable()
            self.events.append(len(records))
        super()._turn(source, records, newest)


def main(arguments: list[str]) -> int:
    """0 after SIGTERM."""
    settings = load().as_user("scorer")
    shell = Profiled(settings, scorer.core(settings))
    spare_collections()
    signal.signal(signal.SIGTERM, lambda *_: shell.stop())
    shell.run()
    shell.profiler.disable()
    Path(arguments[0]).write_bytes(msgspec.json.encode(summary(shell.profiler, shell.events)))
    return 0


def summary(profiler: cProfile.Profile, batches: list[int], most: int = 20) -> Profile:
    """The ``most`` costliest functions by their own time."""
    events = sum(batches)
    if not events:
        raise ValueError("no batch was profiled; give the scorer more events")
    entries = sorted(profiler.getstats(), key=lambda entry: entry.inlinetime, reverse=True)
    lines = [Line(_name(entry.code), entry.inlinetime / events * 1e6, entry.callcount / events) for entry in entries[:most]]
    return Profile(events, len(batches), sum(entry.inlinetime for entry in entries) / events * 1e6, lines)


def _name(code: CodeType | str) -> str:
    if isinstance(code, str):
        return code.strip("<>")
    path = Path(code.co_filename)
    return f"{path.parent.name}/{path.name}: {code.co_name}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
