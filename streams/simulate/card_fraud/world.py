"""The world that a seed makes: cities, terminals, cards with homes and habits. It never changes; what happens in it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.simulate.card_fraud.options import Options

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

COUNTRIES = ("FR", "BE", "DE", "NL", "IT", "ES", "AT", "CH")
#: Name, share of the terminals, typical amount relative to the card's own typical amount.
PHYSICAL = (
    ("groceries", 0.30, 1.0),
    ("restaurant", 0.20, 0.9),
    ("fuel", 0.12, 1.6),
    ("clothing", 0.12, 2.0),
    ("pharmacy", 0.08, 0.7),
    ("transport", 0.10, 0.35),
    ("electronics", 0.05, 3.5),
    ("hotel", 0.03, 4.0),
)
ONLINE = (
    ("marketplace", 0.4, 1.2),
    ("fashion", 0.2, 1.8),
    ("digital_goods", 0.2, 0.3),
    ("games", 0.1, 0.25),
    ("travel", 0.1, 5.0),
)
CATEGORIES = np.array([name for name, _, _ in (*PHYSICAL, *ONLINE)], dtype=object)
_MULTIPLIER = np.array([times for _, _, times in (*PHYSICAL, *ONLINE)])

#: Relative weight of each hour (UTC) for four kinds of people, and for what any of them buys online.
_DAYTIME = (1, 1, 0, 0, 0, 1, 3, 6, 8, 9, 10, 12, 14, 12, 10, 10, 11, 13, 14, 12, 8, 5, 3, 2)
_EARLY = (0, 0, 0, 0, 1, 3, 8, 12, 13, 13, 13, 12, 11, 9, 8, 8, 7, 5, 4, 3, 1, 1, 0, 0)
_WORKER = (1, 0, 0, 0, 0, 1, 4, 9, 5, 3, 3, 7, 14, 9, 3, 3, 5, 12, 17, 15, 10, 6, 4, 2)
_OWL = (7, 5, 3, 2, 1, 0, 1, 2, 3, 4, 5, 7, 8, 8, 8, 8, 9, 10, 11, 11, 11, 11, 10, 9)
_ONLINE_HOURS = (5, 3, 2, 1, 1, 1, 2, 3, 5, 6, 6, 6, 7, 7, 6, 6, 6, 7, 8, 10, 13, 14, 12, 8)

FAVOURITES = 6
ONLINE_FAVOURITES = 4


def _inverse(weights: tuple[int, ...]) -> Floats:
    cumulative = np.concatenate([[0.0], np.cumsum(np.asarray(weights, dtype=np.float64) + 0.05)])
    return np.asarray(cumulative / cumulative[-1])


#: Cumulative share of the day's payments at each full hour: [5, 25]; row 4 is online.
HOURS_CDF = np.stack([_inverse(w) for w in (_DAYTIME, _EARLY, _WORKER, _OWL, _ONLINE_HOURS)])
ONLINE_HABIT = 4


@dataclass(frozen=True)
class World:
    """Columns by card [c] and by terminal [t]; terminals 0 .. physical-1 have a place, sorted by city, the rest sell online."""

    # cities [k]
    city_lat: Floats
    city_lon: Floats
    city_first: Ints
    city_terminals: Ints
    # terminals [t]
    physical: int
    counterpart: NDArray[np.object_]
    terminal_lat: Floats
    terminal_lon: Floats
    terminal_country: NDArray[np.object_]
    category: Ints
    multiplier: Floats
    colluding: Ints
    # cards [c]
    subject: NDArray[np.object_]
    home_city: Ints
    home_lat: Floats
    home_lon: Floats
    rate: Floats
    log_amount: Floats
    sigma: Floats
    online_share: Floats
    habit: Ints
    favourites: Ints
    online_favourites: Ints

    @property
    def cards(self) -> int:
        return len(self.subject)

    @property
    def terminals(self) -> int:
        return len(self.counterpart)

    def terminal_in(self, city: Ints, rng: np.random.Generator) -> Ints:
        """Draw a physical terminal of each of the cities [n], all of a city's being equally likely."""
        picks = np.floor(rng.random(len(city)) * self.city_terminals[city]).astype(np.int64)
        return self.city_first[city] + picks

    def merchant_online(self, n: int, rng: np.random.Generator) -> Ints:
        """Draw n online merchants, all being equally likely."""
        return rng.integers(self.physical, self.terminals, n)


def build(options: Options) -> World:
    """Build the world of ``options.seed``, the same each time."""
    rng = np.random.default_rng([options.seed, 1])
    t, c = options.terminals, options.cards
    physical = t - max(10, t // 5)
    k = int(np.clip(physical // 8, 2, 24))

    weights = 1.0 / np.arange(1, k + 1) ** 0.7
    weights /= weights.sum()
    # Every city gets one terminal before the rest go where people are.
    city = np.sort(np.concatenate([np.arange(k), rng.choice(k, physical - k, p=weights)]))
    count = np.bincount(city, minlength=k)
    city_lat = rng.uniform(42.0, 54.0, k)
    city_lon = rng.uniform(-3.0, 15.0, k)
    city_country = rng.integers(0, len(COUNTRIES), k)

    lat = np.full(t, np.nan)
    lon = np.full(t, np.nan)
    lat[:physical] = city_lat[city] + rng.normal(0.0, 0.04, physical)
    lon[:physical] = city_lon[city] + rng.normal(0.0, 0.06, physical)
    category = np.concatenate(
        [
            rng.choice(len(PHYSICAL), physical, p=[share for _, share, _ in PHYSICAL]),
            len(PHYSICAL) + rng.choice(len(ONLINE), t - physical, p=[share for _, share, _ in ONLINE]),
        ]
    )
    country = np.concatenate([city_country[city], rng.integers(0, len(COUNTRIES), t - physical)])

    home = rng.choice(k, c, p=weights)
    rate = rng.lognormal(0.0, 0.6, c)
    return World(
        city_lat=city_lat,
        city_lon=city_lon,
        city_first=(np.cumsum(count) - count).astype(np.int64),
        city_terminals=count.astype(np.int64),
        physical=physical,
        counterpart=np.array([f"m{i:05d}" for i in range(t)], dtype=object),
        terminal_lat=lat,
        terminal_lon=lon,
        terminal_country=np.array(COUNTRIES, dtype=object)[country],
        category=category.astype(np.int64),
        multiplier=_MULTIPLIER[category] * rng.lognormal(0.0, 0.15, t),
        colluding=np.sort(rng.choice(physical, max(3, physical // 5), replace=False)).astype(np.int64),
        subject=np.array([f"c{i:06d}" for i in range(c)], dtype=object),
        home_city=home.astype(np.int64),
        home_lat=city_lat[home] + rng.normal(0.0, 0.05, c),
        home_lon=city_lon[home] + rng.normal(0.0, 0.07, c),
        rate=rate * (options.rate * c / rate.sum()),
        log_amount=rng.normal(np.log(17.0), 0.45, c),
        sigma=rng.uniform(0.45, 0.8, c),
        online_share=rng.beta(2.0, 6.0, c),
        habit=rng.choice(ONLINE_HABIT, c, p=[0.4, 0.2, 0.3, 0.1]).astype(np.int64),
        favourites=(np.cumsum(count) - count)[home][:, None]
        + np.floor(rng.random((c, FAVOURITES)) * count[home][:, None]).astype(np.int64),
        online_favourites=rng.integers(physical, t, (c, ONLINE_FAVOURITES)),
    )
