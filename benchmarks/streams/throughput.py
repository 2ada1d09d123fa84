"""``python -m benchmarks.streams.throughput``: the scorer, a bare exactly-once hop, and the same job in other libraries."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.common import machine, write
from benchmarks.streams import child, world
from benchmarks.streams.child import Child
from benchmarks.streams.peers import start
from benchmarks.streams.phases import Phases
from benchmarks.streams.profile import Profile
from benchmarks.streams.report import FAUST, LIMIT, QUIX, SCORER, Rate, Throughput, throughput
from benchmarks.streams.watch import Progress, Run, Topics, backlog
from features.settings import Settings
from infra.errors import PlatformError
from streams import topics

_BATCHES = (4_000, 10_000)
_TIMEOUT_S = 100.0
#: What a process meets first, unmeasured.
_WARM = 20_000
_HOP, _PEER = "hop", "peer"
#: For peers that make calls by the event, and for one that makes none.
_FEW, _SOME = 3_000, 50_000
_SNAPSHOTS_OFF = {"DRIFTLOOP_SNAPSHOTS__INTERVAL_S": "0"}


def main(arguments: list[str] | None = None) -> int:
    """0; 2 with one line on standard error where the platform does not come up or a process fails."""
    options = _parser().parse_args(arguments)
    try:
        with world.running(options.events, options.cards) as (settings, events):
            result = run(settings, events, options.cards, options.rounds, peers=options.peers)
            write(result, options.json)
            print(throughput(options.json))
    except (PlatformError, ValueError, RuntimeError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run(settings: Settings, events: world.Events, cards: int, rounds: int, *, peers: bool = True) -> Throughput:
    """Every way in turn, each with the same events in a fresh topic; of the rounds, the one with the least CPU counts."""
    on = machine()
    bench = Bench(settings, events)
    rates: dict[tuple[str, int], Rate] = {}
    for _ in range(rounds):
        for most in _BATCHES:
            for way, found in ((LIMIT, bench.hop(most)), (SCORER, bench.scorer(most))):
                rate = _rate(way, most, found)
                before = rates.get((way, most))
                rates[way, most] = rate if before is None or rate.per_cpu_s > before.per_cpu_s else before
    ordered = sorted(rates.values(), key=lambda rate: (rate.way != LIMIT, rate.max_batch))
    profile, phases = bench.profile(), bench.phases()
    if peers:
        ordered += _peers(bench)
    size = sum(map(len, events.values)) / len(events)
    return Throughput(on, len(events), cards, settings.partitions, round(size, 1), ordered, profile, phases)


def _peers(bench: Bench) -> list[Rate]:
    """Those that run; why the others do not is said."""
    ways: list[tuple[str, str, Callable[[], Run]]] = [
        (QUIX, "state alone, no calls", partial(bench.quix, _SOME, calls=False)),
        (QUIX, "with its calls", partial(bench.quix, _FEW, calls=True)),
        (FAUST, "", partial(bench.faust, _FEW)),
    ]
    found = []
    for way, note, run in ways:
        try:
            found.append(_rate(way, 0, run(), note))
        except (RuntimeError, TimeoutError) as error:
            print(f"{way} was not measured: {error}", file=sys.stderr)
    return found


class Bench:
    """Runs one process after the other over the same events."""

    def __init__(self, settings: Settings, events: world.Events) -> None:
        self._settings = settings
        self._events = events
        self._topics = Topics(settings)

    def hop(self, most: int) -> Run:
        """The bare exactly-once hop."""
        self._topics.anew(_HOP, _HOP)
        begin = partial(child.hop, self._settings, topics.TRANSACTIONS, _HOP, most)
        return self._run(begin, f"hop-{topics.TRANSACTIONS}", _HOP, len(self._events))

    def scorer(self, most: int) -> Run:
        """``driftloop run scorer``, without snapshots."""
        return self._run(partial(child.scorer, self._settings, most, _SNAPSHOTS_OFF), "scorer", topics.SCORES, len(self._events))

    def quix(self, total: int, *, calls: bool) -> Run:
        """Quix Streams over the first ``total`` events."""
        self._topics.anew(_PEER, _PEER)
        python = start.quix_python()
        group = f"quix-{'calls' if calls else 'state'}"
        begin = partial(start.quix, self._settings, python, group, topics.TRANSACTIONS, _PEER, calls=calls)
        return self._run(begin, group, _PEER, total)

    def faust(self, total: int) -> Run:
        """The Faust app over the first ``total`` events."""
        self._topics.anew(_PEER, _PEER)
        world.create(self._settings, "benchmark-faust-recent-changelog")
        begin = partial(start.faust, self._settings, topics.TRANSACTIONS, _PEER)
        return self._run(begin, "benchmark-faust", _PEER, total, self._topics.written(_PEER))

    def profile(self) -> Profile:
        """The scorer under cProfile."""
        with tempfile.TemporaryDirectory(prefix="profile-") as folder:
            out = Path(folder) / "profile.json"
            self._watched("profile", out)
            return msgspec.json.decode(out.read_bytes(), type=Profile)

    def phases(self) -> Phases:
        """The scorer with a clock around each step."""
        with tempfile.TemporaryDirectory(prefix="phases-") as folder:
            out = Path(folder) / "phases.json"
            self._watched("phases", out)
            return msgspec.json.decode(out.read_bytes(), type=Phases)

    def _watched(self, module: str, out: Path) -> None:
        command = ["-P", "-m", f"benchmarks.streams.{module}", str(out)]
        begin = partial(Child, self._settings, module, command, environment=_SNAPSHOTS_OFF)
        self._run(begin, "scorer", topics.SCORES, len(self._events))

    def _run(self, begin: Callable[[], Child], group: str, target: str, total: int, progress: Progress | None = None) -> Run:
        self._topics.anew(topics.TRANSACTIONS, group)
        warm = min(_WARM, total // 5)
        world.fill(self._settings, topics.TRANSACTIONS, self._events.part(0, warm))
        progress = progress or self._topics.committed(group, topics.TRANSACTIONS)
        with begin() as process:
            rest = partial(world.fill, self._settings, topics.TRANSACTIONS, self._events.part(warm, total))
            began, cpu = backlog(process, progress, warm, total, rest, _TIMEOUT_S)
        return Run(total - warm, self._topics.newest_ms(target) / 1000 - began, cpu)


def _rate(way: str, most: int, found: Run, note: str = "") -> Rate:
    rate = Rate(way, most, found.events, round(found.wall_s, 3), round(found.cpu_s, 3), note)
    print(f"{way}, max batch {most}: {rate.per_s:,.0f} events/s, {rate.per_cpu_s:,.0f} a CPU second", file=sys.stderr)
    return rate


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmarks.streams.throughput", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--cards", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2, help="how often the limit and the scorer are measured")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="neither Quix Streams nor Faust")
    parser.add_argument("--json", type=Path, required=True, help="write the result here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
