"""The shop's users and items, and what leads from a look to a purchase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.simulate.clicks.options import Options

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CATEGORIES = np.array(["books", "shoes", "toys", "garden", "kitchen", "music", "sports", "lamps"], dtype=object)
FEED, SEARCH, MAIL, AD = range(4)
SURFACE_SHARES = np.array([0.5, 0.25, 0.1, 0.15])
#: How much likelier a purchase is by surface, as log-odds before STEEPNESS.
SURFACE_PULL = np.array([0.0, 0.7, 0.3, -0.6])
#: Items of a user's own choice, and the share of clicks that go back to one of them.
FAVOURITES, FAVOURITE_SHARE, FAVOURITE_PULL = 4, 0.15, 0.8
#: From intent to the log-odds of a purchase, and to the logarithm of the dwell time.
STEEPNESS, LINGERING = 2.0, 0.55


@dataclass(frozen=True)
class World:
    """Columns by user [u] and by item [i]; items are sorted by category. ``affinity`` [u, category]: the share of a user's
    clicks. ``heaviness`` [i + 1]: popularity, summed up. ``bias``: log-odds of a purchase at intent 0."""

    subject: NDArray[np.object_]
    rate: Floats
    log_dwell: Floats
    affinity: Floats
    favourites: Ints
    counterpart: NDArray[np.object_]
    category: Ints
    first: Ints
    heaviness: Floats
    appeal: Floats
    bias: float

    def item_of(self, category: Ints, rng: np.random.Generator) -> Ints:
        """Draw an item of each category [n], popular ones more often."""
        begin, end = self.heaviness[self.first[category]], self.heaviness[self.first[category + 1]]
        at = np.searchsorted(self.heaviness, begin + rng.random(len(category)) * (end - begin), side="right") - 1
        return np.clip(at, self.first[category], self.first[category + 1] - 1)


@dataclass(frozen=True)
class Looks:
    """n looks: user, item and surface as positions in the world, ``intent`` to buy, and whether the item is bought."""

    user: Ints
    item: Ints
    surface: NDArray[np.int8]
    intent: Floats
    bought: NDArray[np.bool_]


def build(options: Options) -> World:
    """Build the world of ``options.seed``, the same each time."""
    rng = np.random.default_rng([options.seed, 1])
    users, items, kinds = options.users, options.items, len(CATEGORIES)
    category = np.sort(np.concatenate([np.arange(kinds), rng.integers(0, kinds, items - kinds)]))
    rate = rng.lognormal(0.0, 0.6, users)
    world = World(
        subject=np.array([f"u{i:07d}" for i in range(users)], dtype=object),
        rate=rate / rate.mean() * options.rate,
        log_dwell=np.log(20_000.0) + rng.normal(0.0, 0.4, users),
        affinity=rng.dirichlet(np.full(kinds, 0.5), users),
        favourites=np.zeros((users, FAVOURITES), dtype=np.int64),
        counterpart=np.array([f"i{i:06d}" for i in range(items)], dtype=object),
        category=category,
        first=np.searchsorted(category, np.arange(kinds + 1)),
        heaviness=np.concatenate([[0.0], np.cumsum(rng.pareto(1.5, items) + 0.2)]),
        appeal=rng.normal(0.0, 0.9, items),
        bias=0.0,
    )
    chosen = _categories(world, np.repeat(np.arange(users), FAVOURITES), rng)
    world.favourites[:] = world.item_of(chosen, rng).reshape(users, FAVOURITES)
    # Halving finds the log-odds that give the share of purchases asked for, on looks of their own dice.
    intent = looks(world, rng.integers(0, users, 50_000), rng).intent * STEEPNESS
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _sigmoid(middle + intent).mean() < options.bought_rate else (low, middle)
    return World(**{**vars(world), "bias": low})


def looks(world: World, user: Ints, rng: np.random.Generator) -> Looks:
    """Draw one look of each user [n]."""
    n = len(user)
    surface = rng.choice(len(SURFACE_SHARES), n, p=SURFACE_SHARES).astype(np.int8)
    again = rng.random(n) < FAVOURITE_SHARE
    favourite = world.favourites[user, rng.integers(0, FAVOURITES, n)]
    item = np.where(again, favourite, world.item_of(_categories(world, user, rng), rng))
    liked = np.log(world.affinity[user, world.category[item]] * len(CATEGORIES) + 0.1)
    intent = world.appeal[item] + 0.5 * liked + SURFACE_PULL[surface] + FAVOURITE_PULL * again + rng.normal(0.0, 0.5, n)
    return Looks(user, item, surface, intent, rng.random(n) < _sigmoid(world.bias + STEEPNESS * intent))


def _categories(world: World, user: Ints, rng: np.random.Generator) -> Ints:
    """Draw a category of each user's liking [n]."""
    shares = np.cumsum(world.affinity, axis=1)[user]
    chosen: Ints = np.minimum((rng.random(len(user))[:, None] > shares).sum(axis=1), len(CATEGORIES) - 1)
    return chosen


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))
