"""An owner's profile and counterpart tiles as of each event, and what formulas read from a profile.

An owner's profile is two arrays:

- ``profile`` float32 [PROFILE_WIDTH]: home latitude and longitude in degrees (NaN while unknown), mean measure in units,
  number of events behind it, then the shares of the 24 hours of the day (UTC), then the mean measures at the categories that
  ``usual`` names;
- ``usual`` int64 [USUAL_WIDTH]: the most used categories (``features.transform.columns.category_number``), then the most
  used counterparts (``features.transform.columns.counterpart_number``), most used first, 0 where there are fewer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.base.compiled import compiled
from features.catalogue.geo import haversine_km
from features.catalogue.windows import DAY_MS, HOUR_MS

HOURS, CATEGORIES, COUNTERPARTS = 24, 16, 16
HOME_LAT, HOME_LON, MEAN_MEASURE, COUNT, HOUR_SHARES = range(5)
CATEGORY_MEANS = HOUR_SHARES + HOURS
PROFILE_WIDTH = CATEGORY_MEANS + CATEGORIES
USUAL_WIDTH = CATEGORIES + COUNTERPARTS


@dataclass(frozen=True, slots=True)
class Profiles:
    """What Feast knew of n transactions' subjects and counterparts, row by row.

    ``owner`` float32 [n, PROFILE_WIDTH], NaN where missing; ``usual`` int64 [n, USUAL_WIDTH], zeros where missing; the tiles
    of row i are ``tiles[begin[i]:end[i]]`` (int64 [m, 4]; rows may share them, and an unknown counterpart has none); ``*_ts_ms``
    int64 [n]: the event time that each is of, 0 where missing.
    """

    owner: NDArray[np.float32]
    usual: NDArray[np.int64]
    owner_ts_ms: NDArray[np.int64]
    tiles: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    counterpart_ts_ms: NDArray[np.int64]

    def age_ms(self, event_time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return event time less the older found profile's time, int64 [n]; -1 where none was found, else never below 0."""
        latest = np.iinfo(np.int64).max
        owner = np.where(self.owner_ts_ms > 0, self.owner_ts_ms, latest)
        counterpart = np.where(self.counterpart_ts_ms > 0, self.counterpart_ts_ms, latest)
        oldest = np.minimum(owner, counterpart)
        return np.where(oldest == latest, -1, np.maximum(event_time_ms - oldest, 0))


def unknown(n: int) -> Profiles:
    """Return what is read where nothing is known of n transactions."""
    zeros = np.zeros(n, dtype=np.int64)
    return Profiles(
        np.full((n, PROFILE_WIDTH), np.nan, dtype=np.float32),
        np.zeros((n, USUAL_WIDTH), dtype=np.int64),
        zeros,
        np.zeros((0, 4), dtype=np.int64),
        zeros,
        zeros,
        zeros,
    )


@compiled
def distance_from_home(profile: NDArray[np.float32], latitude: float, longitude: float) -> float:
    """Return km, NaN where home or place is unknown."""
    home = np.float64(profile[HOME_LAT]), np.float64(profile[HOME_LON])
    km: float = haversine_km(home[0], home[1], np.float64(latitude), np.float64(longitude))
    return km


@compiled
def category_mean(profile: NDArray[np.float32], usual: NDArray[np.int64], category: int) -> float:
    """Return the mean measure at a category, units; NaN where the subject did not use it, or it is not told (0)."""
    if category != 0:
        for k in range(CATEGORIES):
            if usual[k] == category:
                mean: float = profile[CATEGORY_MEANS + k]
                return mean
    return math.nan


@compiled
def share_around(profile: NDArray[np.float32], time_ms: int) -> float:
    """Return the share of the subject's transactions in the hour of the day of ``time_ms`` and its two neighbours; NaN without
    a profile."""
    hour = time_ms % DAY_MS // HOUR_MS
    total = 0.0
    for near in (hour + HOURS - 1, hour, hour + 1):
        total += profile[HOUR_SHARES + near % HOURS]
    return total


@compiled
def is_usual_counterpart(usual: NDArray[np.int64], counterpart: int) -> float:
    """Return 1 or 0."""
    for k in range(CATEGORIES, USUAL_WIDTH):
        if usual[k] == counterpart and counterpart != 0:
            return 1.0
    return 0.0
