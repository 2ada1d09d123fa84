"""A simulation as work for the publisher, checked before its first record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from features.base.active import DOMAIN
from infra.cli.publication import Work
from streams.publish.batch import Batch, Labels
from streams.publish.limits import check
from streams.simulate.simulator import Request, Simulator


@dataclass(frozen=True)
class _Days:
    """Days ``first`` to ``end`` of a simulation, the last one excluded."""

    simulation: Simulator
    start: date
    first: int
    end: int

    def batches(self, day: date | None) -> Iterator[Batch]:
        return self.simulation.days(self.first if day is None else (day - self.start).days, self.end)

    def owed(self, day: date) -> Labels:
        return self.simulation.pending_labels((day - self.start).days)


def work_of(simulation: Simulator, request: Request, from_day: int | None, days: int, all_labels: bool) -> Work:
    """Describe ``days`` days of a simulation from ``from_day`` on.

    Its first and last day are made and checked. Raises ValueError where no processor would take them: the other days have the
    same ids and measures, and lie between.
    """
    first = from_day or 0
    end = first + days
    check(simulation.day(first))
    last = simulation.day(end - 1)
    check(last)
    owed = simulation.pending_labels(end).label_time_ms if all_labels else last.transactions.event_time_ms[:0]
    options = {f"--{name.replace('_', '-')}": str(value) for name, value in asdict(request).items()}
    return Work(
        command="simulate",
        name=f"simulate --seed {request.seed}",
        options=options,
        # Ids are made of seed and day, whatever the world is like: these days again are these ids again.
        days={
            (request.start + timedelta(days=n)).isoformat(): f"{DOMAIN.name}, seed {request.seed}, day {n}"
            for n in range(first, end)
        },
        source=_Days(simulation, request.start, first, end),
        first=None if from_day is None else request.start + timedelta(days=from_day),
        newest_ms=int(last.transactions.event_time_ms.max(initial=0)),
        newest_label_ms=int(owed.max(initial=0)),
    )
