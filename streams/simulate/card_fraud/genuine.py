"""What honest people pay in a day: habits, trips, sprees, and now and then something that looks like fraud."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from streams.simulate.card_fraud.rows import CHIP, CONTACTLESS, CONTACTLESS_LIMIT, MANUAL, ONLINE, SWIPE, Rows, cents
from streams.simulate.card_fraud.world import FAVOURITES, HOURS_CDF, ONLINE_FAVOURITES, ONLINE_HABIT, World

#: Share of the cards that leave for a trip on any day, and how long they stay.
TRIP_SHARE = 1 / 120
TRIP_DAYS = (2, 9)
#: Share of payments that follow the card's previous one within minutes.
SPREE_SHARE = 0.12

_FAVOURITE_CDF = np.cumsum(0.6 ** np.arange(FAVOURITES)) / np.sum(0.6 ** np.arange(FAVOURITES))


def trips_from(world: World, seed: int, day: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Draw trips that begin on ``day``: cards, cities they go to, and their length in days. Pure in seed and day."""
    rng = np.random.default_rng([seed, 2, day + 4096])
    cards = rng.choice(world.cards, rng.binomial(world.cards, TRIP_SHARE), replace=False)
    cities = rng.integers(0, len(world.city_lat), len(cards))
    return cards.astype(np.int64), cities, rng.integers(TRIP_DAYS[0], TRIP_DAYS[1] + 1, len(cards))


def whereabouts(world: World, seed: int, day: int) -> NDArray[np.int64]:
    """Return the city each card is in on ``day`` [c]: home, or where its latest trip went."""
    city = world.home_city.copy()
    for begun in range(day - TRIP_DAYS[1] + 1, day + 1):
        cards, cities, days = trips_from(world, seed, begun)
        still = begun + days > day
        city[cards[still]] = cities[still]
    return city


def times_of_day(habit: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw ms since midnight [n] for rows with these habits [n]."""
    u = rng.random(len(habit))
    hours = np.empty(len(habit))
    for i, cdf in enumerate(HOURS_CDF):
        mine = habit == i
        hours[mine] = np.interp(u[mine], cdf, np.arange(25.0))
    return np.minimum((hours * HOUR_MS).astype(np.int64), DAY_MS - 1)


def genuine(world: World, seed: int, day: int, weekend: bool, factor: NDArray[np.float64] | float) -> Rows:
    """Make the genuine payments of ``day``, by card, not yet in time order.

    ``factor`` multiplies the amounts: one number, or what it is in each minute of the day [1440].
    """
    rng = np.random.default_rng([seed, 3, day + 4096])
    counts = rng.poisson(world.rate * (1.15 if weekend else 0.94))
    card = np.repeat(np.arange(world.cards), counts)
    n = len(card)
    city = whereabouts(world, seed, day)[card]
    away = city != world.home_city[card]

    online = rng.random(n) < world.online_share[card]
    favourite = rng.random(n) < np.where(online, 0.75, 0.85)
    usual = world.favourites[card, np.searchsorted(_FAVOURITE_CDF, rng.random(n)).clip(0, FAVOURITES - 1)]
    terminal = np.where(favourite & ~away, usual, world.terminal_in(city, rng))
    usual_online = world.online_favourites[card, rng.integers(0, ONLINE_FAVOURITES, n)]
    terminal = np.where(online, np.where(favourite, usual_online, world.merchant_online(n, rng)), terminal)

    time = times_of_day(np.where(online, ONLINE_HABIT, world.habit[card]), rng)
    if n:
        # A spree: this payment follows the one before it in the table, where that is the same card's.
        follows = rng.random(n) < SPREE_SHARE
        follows[0] = False
        follows[1:] &= card[1:] == card[:-1]
        soon = np.roll(time, 1) + (rng.exponential(12.0, n) * MINUTE_MS).astype(np.int64) + 30 * SECOND_MS
        time = np.where(follows, np.minimum(soon, DAY_MS - 1), time)

    noise = rng.normal(0.0, 1.0, n) * world.sigma[card]
    # One payment in sixty is of another size altogether: a television, a deposit.
    large = np.where(rng.random(n) < 1 / 60, rng.uniform(3.0, 9.0, n), 1.0)
    when = factor[time // MINUTE_MS] if isinstance(factor, np.ndarray) else factor
    amount = cents(np.exp(world.log_amount[card] + noise) * world.multiplier[terminal] * large * when)

    how = rng.random(n)
    entry = np.full(n, CHIP, dtype=np.int8)
    entry[(how < 0.6) & (amount <= CONTACTLESS_LIMIT)] = CONTACTLESS
    entry[how > 0.96] = SWIPE
    entry[how > 0.99] = MANUAL
    entry[online] = ONLINE
    pin = np.where(entry == CHIP, rng.random(n) < 0.97, 0).astype(np.int8)
    pin[online] = -1
    return Rows(card, terminal.astype(np.int64), time, amount, entry, pin, np.zeros(n, dtype=np.int8), np.zeros(n, dtype=np.int8))
