"""The simulation: any day of a seeded world, as a pure function of the options and the day's number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS
from streams.publish.batch import Batch, Events, Labels, Truth, concat_labels
from streams.simulate.card_fraud import kinds, patterns
from streams.simulate.card_fraud.currencies import in_currency, of_terminals, table
from streams.simulate.card_fraud.faults import spoil
from streams.simulate.card_fraud.genuine import genuine
from streams.simulate.card_fraud.labels import MAX_DELAY_DAYS, MAX_REVERSAL_DAYS, label, withdrawn
from streams.simulate.card_fraud.options import (
    PATTERNS,
    TRUTH_NAMES,
    UNBORN,
    AmountDrift,
    Options,
    Pattern,
    PatternDrift,
    requested,
)
from streams.simulate.card_fraud.rows import ONLINE, Rows, concat
from streams.simulate.card_fraud.world import CATEGORIES, World, build
from streams.simulate.simulator import Request


class Simulation:
    """A seeded history that has no end.

    ``day(n)`` depends on nothing but the options and n, so days may be made in any order, twice, or by several processes,
    and a history may be continued where another process left it. Memory: the world, and one day.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.world: World = build(options)
        self._currency = of_terminals(options.seed, options.currencies, options.terminals)
        self._per_day = float(self.world.rate.sum()) * options.fraud_rate / (1.0 - options.fraud_rate)

        #: No label comes later after its payment.
        self._label_days = MAX_DELAY_DAYS + (MAX_REVERSAL_DAYS if options.withdrawn_rate else 0)

    @classmethod
    def requested(cls, request: Request) -> Simulation:
        """Make the world that is asked for. Raises ValueError, naming what is wrong."""
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
        bought, frauds = self._genuine(n), self._frauds(n)
        rows = concat([bought, *frauds])
        rows = rows.take(np.argsort(rows.time, kind="stable"))
        start = self.day_start_ms(n)
        honest = self._columns(rows, "t", n, start)
        usual = np.exp(self.world.log_amount[rows.card]) * 100.0
        rng = np.random.default_rng([self.options.seed, 6, n])
        labels = label(honest, rows.pattern > 0, rows.amount > 8.0 * usual, rng)
        if self.options.withdrawn_rate:
            # Dice of their own: the other labels stay as they are without it.
            labels = withdrawn(labels, self.options.withdrawn_rate, np.random.default_rng([self.options.seed, 8, n]))
        others = self._others(n, bought, frauds[PATTERNS.index("card_testing")])
        order = np.argsort(np.concatenate([rows.time, others.time]), kind="stable")
        events = Events.joined([honest, self._columns(others, "k", n, start)]).take(order)
        truth = Truth(np.concatenate([rows.pattern, others.pattern])[order], TRUTH_NAMES)
        return Batch(start, start + DAY_MS, spoil(events, self.options.faults, self.options.start_ms), truth, labels)

    def _genuine(self, n: int) -> Rows:
        weekend = (self.options.start.weekday() + n) % 7 >= 5
        return genuine(self.world, self.options.seed, n, weekend, self._factor(n))

    def _others(self, n: int, bought: Rows, testing: Rows) -> Rows:
        """Make what is no purchase on day ``n``, from dice of its own: purchases stay what they are without it."""
        options = self.options
        rng = np.random.default_rng([options.seed, 7, n])
        parts = [kinds.reversals(bought, options.reversals, rng), kinds.declined(bought, options.declined, rng)]
        source = kinds.refunded_day(options.seed, n)
        if options.refunds > 0 and source >= 0:
            parts.append(kinds.refunds(self._genuine(source), options.refunds, rng))
        if options.declined > 0:
            parts.append(kinds.tried_in_vain(self.world, testing, rng))
        return concat(parts)

    def pending_labels(self, day: int) -> Labels:
        """Return labels of the days before ``day`` that become known then or later: what a publisher that starts there owes."""
        start = self.day_start_ms(day)
        parts = [self.day(n).labels for n in range(max(0, day - self._label_days - 1), day)]
        if not parts:
            parts = [self.day(0).labels.take(slice(0, 0))]
        joined = concat_labels(parts)
        return joined.take(joined.label_time_ms >= start)

    def rates(self, first: int, end: int) -> str:
        """Return what currencies are worth on the days [first, end), as ``units.rates`` takes it."""
        return table(self.options.seed, self.options.currencies, self.options.start_ms, first, end)

    def _factor(self, n: int) -> NDArray[np.float64]:
        """Return what amounts are multiplied by in each minute of day ``n`` [1440]; the latest drift counts."""
        minute = n + np.arange(1440) / 1440.0
        factor = np.ones(1440)
        for drift in sorted((d for d in self.options.drifts if isinstance(d, AmountDrift)), key=lambda d: d.day):
            factor[minute >= drift.day] = drift.factor
        return factor

    def _alive(self, pattern: Pattern, time: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
        """Tell whether the pattern lives at each ``time`` (ms of day ``n``); the latest switch counts."""
        alive = np.full(len(time), pattern not in UNBORN)
        day = n + time / DAY_MS
        switches = [d for d in self.options.drifts if isinstance(d, PatternDrift) and d.pattern == pattern]
        for drift in sorted(switches, key=lambda d: d.day):
            alive[day >= drift.day] = drift.on
        return alive

    def _frauds(self, n: int) -> list[Rows]:
        """Make the frauds of day ``n``, pattern by pattern.

        Each has its own dice: one that dies leaves the others as they were.
        """
        seed = self.options.seed
        factor = float(self._factor(n).mean())
        frauds = []
        for code, pattern in enumerate(PATTERNS, start=1):
            rng = np.random.default_rng([seed, 5, code, n])
            if pattern == "compromised_terminal":
                per_day = self._per_day * patterns.LEAK_SHARE
                rows = patterns.compromised_terminal(self.world, rng, seed, n, per_day, factor)
            else:
                kind = patterns.CAMPAIGNS[pattern]
                campaigns = int(rng.poisson(self._per_day * kind.share / kind.mean_rows))
                rows = kind.make(self.world, rng, campaigns, factor)
            rows = rows.take(self._alive(pattern, rows.time, n))
            rows.pattern[:] = code
            frauds.append(rows)
        return frauds

    def _columns(self, rows: Rows, letter: str, n: int, start: int) -> Events:
        world = self.world
        # The day is part of the number, so that ids are unique whichever days are made.
        prefix = f"{letter}{self.options.seed}-{n:04d}"
        ids = np.array([f"{prefix}{i:07d}" for i in range(len(rows))], dtype=object)
        currency = self._currency[rows.terminal]
        return Events(
            event_id=ids,
            event_time_ms=start + rows.time,
            subject=world.subject[rows.card],
            counterpart=world.counterpart[rows.terminal],
            measure=in_currency(rows.amount, currency, self.options.seed, n),
            others={
                "currency": currency,
                "latitude": np.where(rows.mode == ONLINE, np.nan, world.terminal_lat[rows.terminal]),
                "longitude": np.where(rows.mode == ONLINE, np.nan, world.terminal_lon[rows.terminal]),
                "country": world.terminal_country[rows.terminal],
                "category": CATEGORIES[world.category[rows.terminal]],
                "mode": rows.mode,
                "flag": rows.flag,
                "kind": rows.kind,
            },
        )
