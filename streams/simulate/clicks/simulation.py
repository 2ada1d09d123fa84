"""The simulation: any day of a seeded shop, as a pure function of the options and the day's number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from streams.publish.batch import Batch, Events, Labels, Truth, concat_labels
from streams.simulate.clicks.options import Options, requested
from streams.simulate.clicks.world import CATEGORIES, FEED, LINGERING, Looks, World, build, looks
from streams.simulate.simulator import Request

TRUTH_NAMES = ("unsold", "bought")
ORDER, BASKET = 0, 1
#: An order comes this many hours after the look (log-normal), none later than MAX_HOURS.
MEDIAN_HOURS, SIGMA, MAX_HOURS = 3.0, 0.8, 20.0
#: Share of the other looks after which the item was put into a basket and taken out again: a no that comes early.
TAKEN_OUT = 0.01
#: Share of clicks that follow the user's previous one within minutes.
SESSION_SHARE = 0.6


class Simulation:
    """A seeded history that has no end: ``streams.simulate.simulator.Simulator``. Memory: the world, and one day."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.world: World = build(options)

    @classmethod
    def requested(cls, request: Request) -> Simulation:
        """Make the shop that is asked for. Raises ValueError, naming what is wrong."""
        return cls(requested(request))

    def day_start_ms(self, day: int) -> int:
        """Return the event time at which ``day`` begins."""
        return self.options.start_ms + day * DAY_MS

    def days(self, first: int, end: int) -> Iterator[Batch]:
        """Give the days [first, end), one batch each, in order."""
        return map(self.day, range(first, end))

    def day(self, n: int) -> Batch:
        """Return everything that happens on day ``n``. Raises ValueError for a negative day."""
        if n < 0:
            raise ValueError(f"day is {n}; the simulation begins with day 0")
        rng = np.random.default_rng([self.options.seed, 2, n])
        user = np.repeat(np.arange(self.options.users), rng.poisson(self.world.rate))
        time = _times(user, rng)
        order = np.argsort(time, kind="stable")
        seen, time = looks(self.world, user[order], rng), time[order]
        start = self.day_start_ms(n)
        honest = self._events(seen, time, n, rng)
        labels = _labels(honest, seen.bought, rng)
        truth = Truth(seen.bought.astype(np.int8), TRUTH_NAMES)
        return Batch(start, start + DAY_MS, self._sent(honest), truth, labels)

    def pending_labels(self, day: int) -> Labels:
        """Return labels of the days before ``day`` that become known then or later: what a publisher that starts there owes."""
        parts = [self.day(n).labels for n in range(max(0, day - 1), day)] or [self.day(0).labels.take(slice(0, 0))]
        joined = concat_labels(parts)
        return joined.take(joined.label_time_ms >= self.day_start_ms(day))

    def rates(self, first: int, end: int) -> str:
        """Raise ValueError: clicks name no unit."""
        raise ValueError("--rates: clicks name no unit, so there is nothing to convert; leave it out")

    def _events(self, seen: Looks, time: NDArray[np.int64], n: int, rng: np.random.Generator) -> Events:
        world = self.world
        factor = np.ones(len(time))
        for drift in sorted(self.options.drifts, key=lambda d: d.day):
            factor[n + time / DAY_MS >= drift.day] = drift.factor
        lingering = world.log_dwell[seen.user] + LINGERING * seen.intent + rng.normal(0.0, 0.35, len(time))
        ids = np.array([f"c{self.options.seed}-{n:04d}{i:07d}" for i in range(len(time))], dtype=object)
        return Events(
            event_id=ids,
            event_time_ms=self.day_start_ms(n) + time,
            subject=world.subject[seen.user],
            counterpart=world.counterpart[seen.item],
            measure=np.clip(np.rint(np.exp(lingering) * factor), 200, 30 * MINUTE_MS).astype(np.int64),
            others={"category": CATEGORIES[world.category[seen.item]], "mode": seen.surface},
        )

    def _sent(self, clicks: Events) -> Events:
        """Return the clicks as a faulty shop sends them."""
        for fault in self.options.faults:
            begin = self.options.start_ms + fault.day * DAY_MS
            hit = (clicks.event_time_ms >= begin) & (clicks.event_time_ms < begin + fault.days * DAY_MS)
            if fault.kind == "dwell_unit":
                clicks = clicks.changed(measure=np.where(hit, clicks.measure // SECOND_MS, clicks.measure))
            else:
                clicks = clicks.changed(mode=np.where(hit, FEED, clicks.mode).astype(np.int8))
        return clicks


def _times(user: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw ms since midnight of clicks by user [n], in the order of the users: at noon, in the evening, and in sessions."""
    n = len(user)
    hours = np.where(rng.random(n) < 0.4, rng.normal(12.0, 2.5, n), rng.normal(19.5, 2.0, n))
    time = (np.clip(hours, 0.0, 23.99) * HOUR_MS).astype(np.int64)
    follows = rng.random(n) < SESSION_SHARE
    follows[:1] = False
    follows[1:] &= user[1:] == user[:-1]
    soon = np.roll(time, 1) + (rng.exponential(1.5, n) * MINUTE_MS).astype(np.int64) + 3 * SECOND_MS
    return np.minimum(np.where(follows, soon, time), DAY_MS - 1)


def _labels(clicks: Events, bought: NDArray[np.bool_], rng: np.random.Generator) -> Labels:
    """Make orders of all that was bought, and some baskets that were emptied."""
    taken_out = ~bought & (rng.random(len(clicks)) < TAKEN_OUT)
    rows = np.flatnonzero(bought | taken_out)
    hours = np.clip(rng.lognormal(np.log(MEDIAN_HOURS), SIGMA, len(rows)), 0.1, MAX_HOURS)
    time = clicks.event_time_ms[rows] + (hours * HOUR_MS).astype(np.int64)
    return Labels.of(clicks, rows, bought[rows], time, np.where(bought[rows], ORDER, BASKET).astype(np.int8))
