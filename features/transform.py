"""The feature transform: from a card's history to the stream's columns of the vector, strictly as of each event.

A window of width W at event time t holds the card's transactions with ``t - W < time <= t`` that arrived so far, this one
included. Amounts are summed as integer minor units, so the order of adding cannot change a sum. An event that comes late is
inserted at its event time: its own vector sees only what lies before it, and later vectors see it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.card_state import CardState, History
from features.columns import Columns
from features.geo import haversine_km
from features.vector import FEATURES, INDEX

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
LONGEST_MS = 30 * DAY_MS
#: Minor units in a currency unit. Currencies without two decimals keep their own scale; a model learns per currency mix.
MINOR = 100.0
#: Two payments in the same second still need a speed.
SHORTEST_S = 1.0

_AMOUNT, _HOUR, _WEEKEND, _NIGHT = (INDEX[n] for n in ("amount", "hour", "weekend", "night"))
_ENTRY, _PIN, _LOCATED = INDEX["entry_chip"], INDEX["pin_used"], INDEX["has_location"]
_COUNT_10M, _COUNT_1H, _COUNT_1D = INDEX["count_10m"], INDEX["count_1h"], INDEX["count_1d"]
_COUNT_7D, _COUNT_30D = INDEX["count_7d"], INDEX["count_30d"]
_SUM_1D, _SUM_7D = INDEX["sum_1d"], INDEX["sum_7d"]
_MEAN_1D, _MEAN_7D, _MEAN_30D = INDEX["mean_1d"], INDEX["mean_7d"], INDEX["mean_30d"]
_RATIO, _SINCE = INDEX["ratio_to_mean_30d"], INDEX["seconds_since_last"]
_DISTANCE, _SPEED, _REPEAT = INDEX["distance_from_last_km"], INDEX["speed_kmh"], INDEX["repeat_terminal"]

_MISSING = np.array([f.missing for f in FEATURES], dtype=np.float32)


def update(state: CardState, batch: Columns) -> NDArray[np.float32]:
    """Add ``batch`` to ``state`` and return the vectors, float32 [n, WIDTH], in the batch's order.

    Columns from ``N_STREAM`` on (customer, terminal) hold their missing values: ``features.profiles.fill`` sets them.
    """
    vectors = np.tile(_MISSING, (len(batch), 1))
    if len(batch) == 0:
        return vectors
    slots = state.slots(batch.card)
    state.reserve(slots)
    _update(
        state.history,
        slots,
        Rows(
            batch.event_time_ms,
            batch.amount_minor,
            batch.terminal,
            batch.latitude,
            batch.longitude,
            batch.entry_mode,
            batch.pin_used,
        ),
        vectors,
    )
    return vectors


class Rows(NamedTuple):
    """The columns of a batch as the compiled loop takes them."""

    time: NDArray[np.int64]
    amount: NDArray[np.int64]
    terminal: NDArray[np.int64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    entry_mode: NDArray[np.int8]
    pin_used: NDArray[np.int8]


@njit(cache=True)
def _update(h: History, slots: NDArray[np.int64], rows: Rows, out: NDArray[np.float32]) -> None:
    for i in range(slots.shape[0]):
        last = _insert(h, slots[i], rows, i)
        _of_the_transaction(rows, i, out[i])
        _of_the_history(h, h.start[slots[i]], last, out[i])


@njit(cache=True)
def _insert(h: History, slot: int, rows: Rows, i: int) -> int:
    """Put row ``i`` into its card's segment at its event time, after ties; return its pool row."""
    begin = h.start[slot]
    place: int = begin + h.length[slot]
    time = rows.time[i]
    while place > begin and h.time[place - 1] > time:
        h.time[place] = h.time[place - 1]
        h.amount[place] = h.amount[place - 1]
        h.terminal[place] = h.terminal[place - 1]
        h.latitude[place] = h.latitude[place - 1]
        h.longitude[place] = h.longitude[place - 1]
        place -= 1
    h.time[place] = time
    h.amount[place] = rows.amount[i]
    h.terminal[place] = rows.terminal[i]
    h.latitude[place] = rows.latitude[i]
    h.longitude[place] = rows.longitude[i]
    h.length[slot] += 1
    return place


@njit(cache=True)
def _of_the_transaction(rows: Rows, i: int, out: NDArray[np.float32]) -> None:
    time = rows.time[i]
    hour = (time % DAY_MS) / HOUR_MS
    # 1970-01-01 was a Thursday: day 2 and day 3 of the epoch are a Saturday and a Sunday.
    weekday = (time // DAY_MS) % 7
    out[_AMOUNT] = rows.amount[i] / MINOR
    out[_HOUR] = hour
    out[_WEEKEND] = 1.0 if weekday in (2, 3) else 0.0
    out[_NIGHT] = 1.0 if hour < 6.0 else 0.0
    if rows.entry_mode[i] >= 0:
        out[_ENTRY + rows.entry_mode[i]] = 1.0
    if rows.pin_used[i] >= 0:
        out[_PIN] = rows.pin_used[i]
    if not (math.isnan(rows.latitude[i]) or math.isnan(rows.longitude[i])):
        out[_LOCATED] = 1.0


@njit(cache=True)
def _of_the_history(h: History, begin: int, last: int, out: NDArray[np.float32]) -> None:
    """Walk back from the event at pool row ``last`` through 30 days of its card's history."""
    now = h.time[last]
    located = out[_LOCATED] > 0.0
    n10m = n1h = n1d = n7d = n30d = 0
    s1d = s7d = s30d = 0
    j = last
    while j >= begin:
        age = now - h.time[j]
        if age >= LONGEST_MS:
            break
        amount = h.amount[j]
        n30d += 1
        s30d += amount
        if age < 7 * DAY_MS:
            n7d += 1
            s7d += amount
            if age < DAY_MS:
                n1d += 1
                s1d += amount
                if age < HOUR_MS:
                    n1h += 1
                    if age < 10 * MINUTE_MS:
                        n10m += 1
        if j < last:
            if h.terminal[j] == h.terminal[last]:
                out[_REPEAT] = 1.0
            if located and not math.isnan(h.latitude[j]) and not math.isnan(h.longitude[j]):
                located = False  # the newest known place is the one that counts
                km = haversine_km(h.latitude[j], h.longitude[j], h.latitude[last], h.longitude[last])
                out[_DISTANCE] = km
                out[_SPEED] = km / max(age / 1000.0, SHORTEST_S) * 3600.0
        j -= 1
    out[_COUNT_10M], out[_COUNT_1H], out[_COUNT_1D], out[_COUNT_7D], out[_COUNT_30D] = n10m, n1h, n1d, n7d, n30d
    out[_SUM_1D], out[_SUM_7D] = s1d / MINOR, s7d / MINOR
    out[_MEAN_1D], out[_MEAN_7D], out[_MEAN_30D] = s1d / MINOR / n1d, s7d / MINOR / n7d, s30d / MINOR / n30d
    if n30d > 1:
        earlier = (s30d - h.amount[last]) / (n30d - 1)
        if earlier > 0:
            out[_RATIO] = h.amount[last] / earlier
        out[_SINCE] = (now - h.time[last - 1]) / 1000.0
