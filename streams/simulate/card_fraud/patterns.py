"""The fraud patterns. Each makes one day's frauds from a number of campaigns; a campaign is one thief at work on one card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS, HOUR_MS, MINUTE_MS
from streams.simulate.card_fraud.options import Pattern
from streams.simulate.card_fraud.rows import CHIP, CONTACTLESS, CONTACTLESS_LIMIT, MANUAL, ONLINE, SWIPE, Rows, cents
from streams.simulate.card_fraud.world import World

Ints = NDArray[np.int64]

#: Leaks of terminals: days they last, and frauds a day at one of them.
LEAK_DAYS = (12, 30)
LEAK_FRAUDS = 2.5


@dataclass(frozen=True)
class Series:
    """Rows of k campaigns: ``of`` [n] is each row's campaign, ``last`` whether it ends one, ``time`` [n] in ms."""

    of: Ints
    last: NDArray[np.bool_]
    time: Ints


def series(rng: np.random.Generator, k: int, sizes: tuple[int, int], hours: tuple[float, float], gap_minutes: float) -> Series:
    """Draw k campaigns of ``sizes`` (both ends included) rows that begin within ``hours``, with exponential gaps.

    What would run past midnight is moved to the evening before, so that a day stands on its own.
    """
    size = rng.integers(sizes[0], sizes[1] + 1, k)
    of = np.repeat(np.arange(k), size)
    n = len(of)
    ends = np.cumsum(size)
    first = np.zeros(n, dtype=np.bool_)
    last = np.zeros(n, dtype=np.bool_)
    first[ends - size] = True
    last[ends - 1] = True
    gap = np.where(first, 0.0, rng.exponential(gap_minutes, n) + gap_minutes / 10) * MINUTE_MS
    run = np.cumsum(gap)
    elapsed = run - run[ends - size][of] if n else run
    start = rng.uniform(hours[0], hours[1], k) * HOUR_MS
    length = elapsed[ends - 1] if n else np.zeros(k)
    start = np.maximum(np.minimum(start, DAY_MS - 1 - length), 0.0)
    time = np.minimum((start[of] + elapsed).astype(np.int64), DAY_MS - 1)
    return Series(of, last, time)


def _rows(
    card: Ints, terminal: Ints, time: Ints, amount: Ints, entry: NDArray[np.int8] | int, pin: NDArray[np.int8] | int
) -> Rows:
    n = len(card)
    return Rows(
        card,
        terminal,
        time,
        amount,
        np.broadcast_to(np.asarray(entry, dtype=np.int8), n).copy(),
        np.broadcast_to(np.asarray(pin, dtype=np.int8), n).copy(),
        np.zeros(n, dtype=np.int8),
        np.zeros(n, dtype=np.int8),
    )


def card_testing(world: World, rng: np.random.Generator, k: int, factor: float) -> Rows:
    """Make payments that try a stolen number: 3 to 9 tiny ones online within minutes; sometimes a large one follows."""
    s = series(rng, k, (3, 9), (0.0, 24.0), 2.5)
    card = rng.integers(0, world.cards, k)[s.of]
    merchant = world.merchant_online(k, rng)[s.of]
    cash_in = s.last & (rng.random(k) < 0.35)[s.of]
    amount = np.where(cash_in, rng.uniform(60.0, 400.0, len(card)) * factor, rng.uniform(0.5, 5.0, len(card)))
    return _rows(card, merchant, s.time, cents(amount), ONLINE, -1)


def stolen_card(world: World, rng: np.random.Generator, k: int, factor: float) -> Rows:
    """Make payments with the card itself, in another city: 2 to 5 high amounts within hours, mostly by magnetic stripe."""
    s = series(rng, k, (2, 5), (6.0, 23.0), 45.0)
    card = rng.integers(0, world.cards, k)
    # Any city but the card's own.
    cities = len(world.city_lat)
    away = (world.home_city[card] + rng.integers(1, cities, k)) % cities
    card = card[s.of]
    terminal = world.terminal_in(away[s.of], rng)
    n = len(card)
    amount = cents(rng.lognormal(np.log(140.0), 0.7, n) * factor, 1000)
    how = rng.random(n)
    entry = np.where(how < 0.65, SWIPE, np.where(how < 0.9, CHIP, MANUAL)).astype(np.int8)
    pin = ((entry == CHIP) & (rng.random(n) < 0.5)).astype(np.int8)
    return _rows(card, terminal, s.time, amount, entry, pin)


def account_takeover(world: World, rng: np.random.Generator, k: int, factor: float) -> Rows:
    """Make payments of somebody else with the account at night: 2 to 5 online, at merchants that the card rarely uses."""
    s = series(rng, k, (2, 5), (0.0, 4.5), 25.0)
    card = rng.integers(0, world.cards, k)[s.of]
    n = len(card)
    merchant = world.merchant_online(n, rng)
    known = (world.online_favourites[card] == merchant[:, None]).any(axis=1)
    span = world.terminals - world.physical
    merchant = np.where(known, world.physical + (merchant - world.physical + 1) % span, merchant)
    amount = cents(np.exp(world.log_amount[card]) * rng.lognormal(np.log(4.5), 0.7, n) * factor, 300)
    return _rows(card, merchant, s.time, amount, ONLINE, -1)


def contactless_runup(world: World, rng: np.random.Generator, k: int, factor: float) -> Rows:
    """Make payments that use up a found card without its PIN: 4 to 9 contactless ones just below the limit, in its own city."""
    s = series(rng, k, (4, 9), (8.0, 20.0), 14.0)
    card = rng.integers(0, world.cards, k)[s.of]
    terminal = world.terminal_in(world.home_city[card], rng)
    amount = CONTACTLESS_LIMIT - (rng.beta(1.0, 4.0, len(card)) * 2500.0).astype(np.int64)
    return _rows(card, terminal, s.time, amount, CONTACTLESS, 0)


def merchant_collusion(world: World, rng: np.random.Generator, k: int, factor: float) -> Rows:
    """Make payments by which a merchant helps to drain cards.

    They are 2 to 4, round, middling, by chip with PIN, by day, at one of a group of terminals.
    Every single trait is genuine-looking; size, hour, PIN and the return to the same terminal within the hour go together.
    """
    s = series(rng, k, (2, 4), (9.0, 15.0), 40.0)
    card = rng.integers(0, world.cards, k)[s.of]
    terminal = world.colluding[rng.integers(0, len(world.colluding), k)][s.of]
    amount = rng.integers(4, 9, k)[s.of] * 2000
    return _rows(card, terminal, s.time, amount.astype(np.int64), CHIP, 1)


def leaks_from(world: World, seed: int, day: int, per_day: float) -> tuple[Ints, Ints]:
    """Draw terminals that start to leak on ``day``, and for how many days. ``per_day``: frauds a day of all leaks."""
    rng = np.random.default_rng([seed, 4, day + 4096])
    begun = per_day / (LEAK_FRAUDS * (LEAK_DAYS[0] + LEAK_DAYS[1]) / 2)
    k = rng.poisson(begun)
    return rng.integers(0, world.physical, k), rng.integers(LEAK_DAYS[0], LEAK_DAYS[1] + 1, k)


def compromised_terminal(world: World, rng: np.random.Generator, seed: int, day: int, per_day: float, factor: float) -> Rows:
    """Make payments with cards read by a leaking terminal: there, at ordinary hours, for somewhat more than usual, for weeks."""
    leaking = []
    for begun in range(day - LEAK_DAYS[1] + 1, day + 1):
        terminals, days = leaks_from(world, seed, begun, per_day)
        leaking.append(terminals[begun + days > day])
    terminal = np.concatenate(leaking)
    terminal = np.repeat(terminal, rng.poisson(LEAK_FRAUDS, len(terminal)))
    n = len(terminal)
    city = np.searchsorted(world.city_first, terminal, side="right") - 1
    # A terminal's customers are the cards of its city; where none lives there, anybody.
    by_city = np.argsort(world.home_city, kind="stable")
    first = np.searchsorted(world.home_city[by_city], np.arange(len(world.city_lat)))
    living = np.bincount(world.home_city, minlength=len(world.city_lat))[city]
    neighbour = by_city[np.minimum(first[city] + np.floor(rng.random(n) * living).astype(np.int64), world.cards - 1)]
    card = np.where(living > 0, neighbour, rng.integers(0, world.cards, n))
    amount = cents(np.exp(world.log_amount[card]) * rng.lognormal(np.log(2.0), 0.6, n) * world.multiplier[terminal] * factor, 500)
    entry = np.where(rng.random(n) < 0.3, SWIPE, CHIP).astype(np.int8)
    time = (rng.triangular(7.0, 15.0, 22.0, n) * HOUR_MS).astype(np.int64)
    return _rows(card, terminal, time, amount, entry, (entry == CHIP).astype(np.int8))


@dataclass(frozen=True)
class Campaigns:
    """A pattern that comes in campaigns: how, how many rows one has on average, and its share of the fraud rate."""

    make: Callable[[World, np.random.Generator, int, float], Rows]
    mean_rows: float
    share: float


#: Shares of the fraud rate. Those alive at the start add up to 1; the unborn one comes on top.
CAMPAIGNS: dict[Pattern, Campaigns] = {
    "card_testing": Campaigns(card_testing, 6.0, 0.18),
    "stolen_card": Campaigns(stolen_card, 3.5, 0.24),
    "account_takeover": Campaigns(account_takeover, 3.5, 0.18),
    "contactless_runup": Campaigns(contactless_runup, 6.5, 0.2),
    "merchant_collusion": Campaigns(merchant_collusion, 3.0, 0.5),
}
LEAK_SHARE = 0.2
