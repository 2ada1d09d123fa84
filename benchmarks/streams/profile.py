"""Where the scorer's time goes: ``python -m benchmarks.streams.profile OUT`` runs it under cProfile until SIGTERM.

The clock is the CPU time of the loop's thread, so that waiting costs nothing. Profiling itself slows Python's calls, not the C
code: shares of functions that are called for each event are overstated. The first batches (imports, compiling) are left out.
"""

from __future__ import annotations

import cProfile
import pstats
import signal
import sys
import time
from pathlib import Path

import msgspec

from features.settings import load
from infra.run import SHELLS
from streams.shell import Shell

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


def main(arguments: list[str]) -> int:
    """0 after SIGTERM."""
    shell = SHELLS["scorer"](load().as_user("scorer"))
    assert isinstance(shell, Shell)
    signal.signal(signal.SIGTERM, lambda *_: shell.stop())
    profiler = cProfile.Profile(time.thread_time)
    core = shell._core
    process = core.process
    seen: list[int] = []

    def counted(records):  # type: ignore[no-untyped-def]
        if len(seen) == _WARM_BATCHES:
            profiler.enable()
        seen.append(len(records))
        return process(records)

    core.process = counted  # type: ignore[method-assign]
    shell.run()
    profiler.disable()
    Path(arguments[0]).write_bytes(msgspec.json.encode(summary(profiler, seen[_WARM_BATCHES:])))
    return 0


def summary(profiler: cProfile.Profile, batches: list[int], most: int = 20) -> Profile:
    """The ``most`` costliest functions by their own time."""
    events = sum(batches)
    if not events:
        raise ValueError("no batch was profiled; give the scorer more events")
    stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    rows = sorted(((own, calls, at) for at, (_, calls, own, _, _) in stats.items()), reverse=True)
    lines = [Line(_name(*at), own / events * 1e6, calls / events) for own, calls, at in rows[:most]]
    return Profile(events, len(batches), sum(own for own, _, _ in rows) / events * 1e6, lines)


def _name(path: str, line: int, function: str) -> str:
    return function.strip("<>") if path == "~" else f"{Path(path).parent.name}/{Path(path).name}: {function}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
