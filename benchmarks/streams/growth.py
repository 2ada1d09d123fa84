"""``python -m benchmarks.streams.growth``: the scorer's throughput by partitions and by how many scorers share them."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.common import machine, write
from benchmarks.streams import child, world
from benchmarks.streams.child import Child
from benchmarks.streams.tables.growth import Growth, Point, section
from benchmarks.streams.watch import Topics, backlog
from features.base.settings import Settings
from infra.errors import PlatformError
from streams import topics

_PARTITIONS = (1, 2, 4, 8, 16)
_SCORERS = (1, 2)
_WARM = 20_000
_TIMEOUT_S = 180.0
#: So that both are in the group and hold their partitions: each asks a broker that says that nothing was committed for some
#: seconds (``streams.kafka.trusted_offsets``), one after the other.
_SETTLE_S = 20.0


class Members:
    """Several scorers of one group, as one process."""

    def __init__(self, children: list[Child]) -> None:
        self._children = children

    def tail(self) -> str:
        """The end of their log: they share one."""
        return self._children[0].tail()

    def cpu_s(self) -> float:
        """CPU seconds of all. Raises RuntimeError where one has ended."""
        return sum(member.cpu_s() for member in self._children)

    def pause(self) -> None:
        for member in self._children:
            member.pause()

    def resume(self) -> None:
        for member in self._children:
            member.resume()


def main(arguments: list[str] | None = None) -> int:
    """0; 2 with one line on standard error where the platform does not come up or a process fails."""
    options = _parser().parse_args(arguments)
    on = machine()
    points = []
    try:
        with world.running(options.events, options.cards) as (settings, events):
            for partitions in options.partitions:
                points += [_measure(settings, events, partitions, n) for n in _SCORERS if n <= partitions]
        write(Growth(on, options.events, options.cards, points), options.json)
        print(section(options.json))
    except (PlatformError, ValueError, RuntimeError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _measure(settings: Settings, events: world.Events, partitions: int, scorers: int) -> Point:
    spread = settings.model_copy(update={"partitions": partitions})
    asked = Topics(spread)
    for name in (topics.EVENTS, topics.SCORES, topics.ALERTS):
        asked.anew(name, "scorer")
    world.fill(spread, topics.EVENTS, events.part(0, _WARM))
    with ExitStack() as stack:
        members = []
        for n in range(scorers):
            environment = {
                "DRIFTLOOP_PARTITIONS": str(partitions),
                "DRIFTLOOP_INSTANCE": str(n),
                "DRIFTLOOP_PORTS__METRICS": '{"scorer": 0}',
                "DRIFTLOOP_SNAPSHOTS__INTERVAL_S": "0",
            }
            members.append(stack.enter_context(child.scorer(spread, 10_000, environment)))
        if scorers > 1:
            time.sleep(_SETTLE_S)
        progress = asked.committed("scorer", topics.EVENTS)
        rest = partial(world.fill, spread, topics.EVENTS, events.part(_WARM, len(events)))
        began, cpu = backlog(Members(members), progress, _WARM, len(events), rest, _TIMEOUT_S)
    point = Point(
        partitions, scorers, len(events) - _WARM, round(asked.newest_ms(topics.SCORES) / 1000 - began, 3), round(cpu, 3)
    )
    print(f"{partitions} partitions, {scorers} scorers: {point.events / point.wall_s:,.0f} events/s", file=sys.stderr)
    return point


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmarks.streams.growth", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--cards", type=int, default=10_000)
    parser.add_argument("--partitions", type=int, nargs="+", default=list(_PARTITIONS))
    parser.add_argument("--json", type=Path, required=True, help="write the result here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
