"""``python -m benchmarks.streams.throughput``: the scorer, a bare exactly-once hop, and the same job in other libraries."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from benchmarks.common import machine, write
from benchmarks.streams import world
from benchmarks.streams.bench import Bench
from benchmarks.streams.tables.throughput import FAUST, LIMIT, QUIX, SCORER, Rate, Throughput, section
from benchmarks.streams.watch import Run
from features.base.settings import Settings
from infra.errors import PlatformError

#: As ``--only`` names them.
WAYS = {"limit": LIMIT, "scorer": SCORER, "quix": QUIX, "faust": FAUST}
_BATCHES = (4_000, 10_000)
#: For peers that make calls by the event, and for one that makes none.
_FEW, _SOME = 5_000, 50_000


def main(arguments: list[str] | None = None) -> int:
    """0; 2 with one line on standard error where the platform does not come up or a process fails."""
    options = _parser().parse_args(arguments)
    try:
        with world.running(options.events, options.cards) as (settings, events):
            if options.only:
                ways = [WAYS[name] for name in options.only]
                bench = Bench(settings, events)
                _ours(bench, options.rounds, ways)
                for peer in _peers(len(events), ways):
                    _measured(bench, *peer)
            else:
                result = run(settings, events, options.cards, options.rounds, peers=options.peers)
                write(result, options.json)
                print(section(options.json))
    except (PlatformError, ValueError, RuntimeError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run(settings: Settings, events: world.Events, subjects: int, rounds: int, *, peers: bool = True) -> Throughput:
    """Every way in turn, each with the same events in a fresh topic; a peer that fails is left out, and why is said."""
    on = machine()
    bench = Bench(settings, events)
    rates = _ours(bench, rounds, [LIMIT, SCORER])
    profile, phases = bench.profile(), bench.phases()
    for peer in _peers(len(events), [QUIX, FAUST] if peers else []):
        try:
            rates.append(_measured(bench, *peer))
        except (RuntimeError, TimeoutError) as error:
            print(f"{peer[0]} was not measured: {error}", file=sys.stderr)
    size = sum(map(len, events.values)) / len(events)
    return Throughput(on, len(events), subjects, settings.partitions, round(size, 1), rates, profile, phases)


def _ours(bench: Bench, rounds: int, ways: Collection[str]) -> list[Rate]:
    """The limit and the scorer by turns; of the rounds, the one with the least CPU counts."""
    rates: dict[tuple[str, int], Rate] = {}
    for _ in range(rounds):
        for most in _BATCHES:
            for way, measure in ((LIMIT, bench.hop), (SCORER, bench.scorer)):
                if way in ways:
                    rate = _rate(way, most, measure(most))
                    before = rates.get((way, most))
                    rates[way, most] = rate if before is None or rate.per_cpu_s > before.per_cpu_s else before
    return sorted(rates.values(), key=lambda rate: (rate.way != LIMIT, rate.max_batch))


def _peers(events: int, ways: Collection[str]) -> list[tuple[str, str, Callable[[Bench], Run]]]:
    """The name of each, a note, and how it is measured."""
    few, some = min(_FEW, events), min(_SOME, events)
    known: list[tuple[str, str, Callable[[Bench], Run]]] = [
        (QUIX, "state alone, no calls", partial(Bench.quix, total=some, calls=False)),
        (QUIX, "with its calls", partial(Bench.quix, total=few, calls=True)),
        (FAUST, "", partial(Bench.faust, total=few)),
    ]
    return [peer for peer in known if peer[0] in ways]


def _measured(bench: Bench, way: str, note: str, measure: Callable[[Bench], Run]) -> Rate:
    return _rate(way, 0, measure(bench), note)


def _rate(way: str, most: int, run: Run, note: str = "") -> Rate:
    rate = Rate(way, most, run.events, round(run.wall_s, 3), round(run.cpu_s, 3), note)
    named = f"{way}, {note or f'max batch {most:,}'}" if note or most else way
    print(
        f"{named}: {rate.events:,} events in {rate.wall_s:.2f} s, {rate.cpu_s:.2f} CPU s: "
        f"{rate.per_s:,.0f} events/s, {rate.per_cpu_s:,.0f} a CPU second",
        file=sys.stderr,
    )
    return rate


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmarks.streams.throughput", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--cards", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2, help="how often the limit and the scorer are measured")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="neither Quix Streams nor Faust")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--json", type=Path, help="write the result here")
    what.add_argument("--only", nargs="+", choices=list(WAYS), help="measure these alone and write nothing: the tables need all")
    return parser


if __name__ == "__main__":
    sys.exit(main())
