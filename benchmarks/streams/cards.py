"""``python -m benchmarks.streams.cards``: the scorer's throughput by the number of cards in its state."""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.common import machine, write
from benchmarks.streams import child, gauges, world
from benchmarks.streams.tables.cards import Cards, Point, section
from benchmarks.streams.watch import Topics, backlog, wait
from features.base.settings import Settings
from infra.errors import PlatformError
from streams import topics

_CARDS = [10_000, 100_000, 1_000_000]
#: Of the simulation that the transactions come from: terminals and all, before other cards pay in it.
_SIMULATED_CARDS = 10_000
_WARM = 20_000
_BATCH = 10_000
_TIMEOUT_S = 180.0
_HELD, _BYTES, _PROFILES = "driftloop_state_subjects", "driftloop_state_bytes", "driftloop_profile_read_seconds_sum"


def main(arguments: list[str] | None = None) -> int:
    """0; 2 with one line on standard error where the platform does not come up or a process fails."""
    options = _parser().parse_args(arguments)
    try:
        with world.running(max(options.cards) + _WARM + options.events, _SIMULATED_CARDS) as (settings, events):
            write(run(settings, events, options.cards, options.events, options.rounds), options.json)
            print(section(options.json))
    except (PlatformError, ValueError, RuntimeError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run(settings: Settings, events: world.Events, sizes: list[int], measured: int, rounds: int) -> Cards:
    """Every size in turn; of the rounds, the one with the least CPU counts. The last ``measured`` of ``events`` are measured."""
    on = machine()
    ids = [f"n{i:07d}" for i in range(max(sizes))]
    world.write_profiles(settings, ids)
    spread = {subjects: spread_over(events, ids[:subjects], _WARM + measured) for subjects in sizes}
    asked = Topics(settings)
    points: dict[int, Point] = {}
    for _ in range(rounds):
        for subjects in sizes:
            point = _measure(settings, asked, spread[subjects], subjects, measured)
            rate, cpu_rate = point.events / point.wall_s, point.events / point.cpu_s
            print(f"{point.held:,} cards: {rate:,.0f} events/s, {cpu_rate:,.0f} a CPU second", file=sys.stderr)
            before = points.get(subjects)
            points[subjects] = point if before is None or point.cpu_s < before.cpu_s else before
    return Cards(on, settings.partitions, rounds, len(ids), [points[subjects] for subjects in sizes])


def spread_over(events: world.Events, ids: list[str], drawn: int) -> world.Events:
    """The last of ``events`` with other cards: one payment of each of ``ids``, in no order, then ``drawn`` of cards drawn evenly.

    Raises ValueError where there are too few.
    """
    begin = len(events) - len(ids) - drawn
    if begin < 0:
        raise ValueError(f"{len(ids)} cards and {drawn} payments more need that many events, not {len(events)}")
    draw = np.random.default_rng(len(ids))
    order = np.concatenate([draw.permutation(len(ids)), draw.integers(0, len(ids), drawn)])
    keys = [ids[i].encode() for i in order.tolist()]
    part = events.part(begin, len(events))
    values = [
        value.replace(b'"card_id":"%b"' % old, b'"card_id":"%b"' % new)
        for value, old, new in zip(part.values, part.keys, keys, strict=True)
    ]
    return world.Events(values, keys)


def _measure(settings: Settings, asked: Topics, events: world.Events, subjects: int, measured: int) -> Point:
    for name in (topics.EVENTS, topics.SCORES, topics.ALERTS):
        asked.anew(name, "scorer")
    world.fill(settings, topics.EVENTS, events.part(0, subjects))
    # What is committed is read again at the start, for the state alone.
    asked.commit("scorer", topics.EVENTS)
    warm = len(events) - measured
    world.fill(settings, topics.EVENTS, events.part(subjects, warm))
    progress = asked.committed("scorer", topics.EVENTS)
    gauge = partial(gauges.total, settings.ports.metrics["scorer"])
    # Even without an interval a scorer that ends keeps its state; the next one must not find it.
    with tempfile.TemporaryDirectory(prefix="snapshots-") as snapshots:
        environment = {"DRIFTLOOP_SNAPSHOTS__INTERVAL_S": "0", "DRIFTLOOP_SNAPSHOTS__PATH": snapshots}
        with child.scorer(settings, _BATCH, environment) as scorer:
            wait(scorer, progress, warm, _TIMEOUT_S)
            held, size, profiles = gauge(_HELD), gauge(_BYTES), gauge(_PROFILES)
            rest = partial(world.fill, settings, topics.EVENTS, events.part(warm, len(events)))
            began, cpu = backlog(scorer, progress, warm, len(events), rest, _TIMEOUT_S)
            profiles = gauge(_PROFILES) - profiles
    if held != subjects:
        raise RuntimeError(f"the scorer's state holds {held:.0f} cards, not {subjects}")
    wall = asked.newest_ms(topics.SCORES) / 1000 - began
    rows, mib = round(warm / subjects, 2), round(size / 2**20, 1)
    return Point(int(held), rows, mib, measured, round(wall, 3), round(cpu, 3), round(profiles, 3))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmarks.streams.cards", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="measured at each size")
    parser.add_argument("--cards", type=int, nargs="+", default=_CARDS, help="sizes of the state")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, required=True, help="write the result here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
