"""The columns of the vector that come from Feast: terminal risk and customer profile, as of each event.

One function for the stream and for the batch. With ``a`` the amount and a profile ``[home_lat, home_lon, mean_amount, count]``:

- ``distance_from_home_km``: great-circle distance from home; missing without a home or without the transaction's place;
- ``ratio_to_usual_amount``: ``a / mean_amount``; missing without a profile or with a mean of zero;
- ``terminal_count_wd``: outcomes ``n`` in the window of w days before the label delay (``features.terminal_tiles``);
- ``terminal_risk_wd``: ``(f + PRIOR * PRIOR_RISK) / (n + PRIOR)``, the frauds' share drawn towards PRIOR_RISK while outcomes
  are few. An unknown terminal has count 0 and risk PRIOR_RISK.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.geo import haversine_km_columns
from features.settings import DAY_MS
from features.terminal_tiles import WINDOWS, whole_days, windows
from features.vector import FEATURES, INDEX

#: The prior counts like this many outcomes.
PRIOR = 20.0
PRIOR_RISK = 0.01
#: Profile columns: home latitude and longitude (degrees), mean amount (currency units), transactions behind them.
HOME_LAT, HOME_LON, MEAN_AMOUNT, COUNT = range(4)
PROFILE_WIDTH = 4

_HOME = INDEX["distance_from_home_km"]
_RATIO = INDEX["ratio_to_usual_amount"]
_COUNTS = [INDEX[f"terminal_count_{w}d"] for w in WINDOWS]
_RISKS = [INDEX[f"terminal_risk_{w}d"] for w in WINDOWS]


@dataclass(frozen=True, slots=True)
class Profiles:
    """What Feast knew of n transactions' cards and terminals, row by row.

    ``customer`` float32 [n, 4], NaN where missing; ``tiles`` int64 [n, TILE_WIDTH], zeros where missing; ``*_ts_ms`` int64 [n]:
    the event time that each is of, 0 where missing.
    """

    customer: NDArray[np.float32]
    customer_ts_ms: NDArray[np.int64]
    tiles: NDArray[np.int64]
    terminal_ts_ms: NDArray[np.int64]

    def age_ms(self, event_time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Event time minus the time of the older profile found, int64 [n]; -1 where none was found, never below 0 otherwise."""
        latest = np.iinfo(np.int64).max
        customer = np.where(self.customer_ts_ms > 0, self.customer_ts_ms, latest)
        terminal = np.where(self.terminal_ts_ms > 0, self.terminal_ts_ms, latest)
        oldest = np.minimum(customer, terminal)
        return np.where(oldest == latest, -1, np.maximum(event_time_ms - oldest, 0))


def fill(
    vectors: NDArray[np.float32],
    event_time_ms: NDArray[np.int64],
    amount_minor: NDArray[np.int64],
    lat: NDArray[np.float64],
    lon: NDArray[np.float64],
    customer: NDArray[np.float32],
    tiles: NDArray[np.int64],
    delay_days: float,
) -> None:
    """Write the customer and terminal columns of ``vectors`` [n, WIDTH], in place.

    ``event_time_ms``, ``amount_minor``, ``lat``, ``lon`` [n] (NaN where the place is unknown); ``customer`` [n, 4] and
    ``tiles`` [n, TILE_WIDTH] as in Profiles; ``delay_days`` is ``settings.labels.delay_days``.
    """
    home = customer.astype(np.float64)
    km = haversine_km_columns(home[:, HOME_LAT], home[:, HOME_LON], lat, lon)
    vectors[:, _HOME] = np.where(np.isnan(km), FEATURES[_HOME].missing, km)

    mean = home[:, MEAN_AMOUNT]
    known = mean > 0  # false for NaN
    ratio = np.full(len(vectors), FEATURES[_RATIO].missing)
    np.divide(amount_minor / 100.0, mean, out=ratio, where=known)
    vectors[:, _RATIO] = ratio

    counts = windows(np.ascontiguousarray(tiles), event_time_ms // DAY_MS, whole_days(delay_days))
    vectors[:, _COUNTS] = counts[:, :, 0]
    vectors[:, _RISKS] = (counts[:, :, 1] + PRIOR * PRIOR_RISK) / (counts[:, :, 0] + PRIOR)
