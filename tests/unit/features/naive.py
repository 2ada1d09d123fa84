"""The features again, the slow way: for each event, look at every earlier one. No state, no windows that slide."""

from __future__ import annotations

import math
from dataclasses import dataclass

from features.geo import haversine_km
from features.vector import FEATURES, N_STREAM

DAY = 86_400_000


@dataclass(frozen=True)
class Event:
    """A transaction as the naive reference reads it; None for unknown."""

    card: str
    time: int
    amount: int
    terminal: int = 1
    lat: float = math.nan
    lon: float = math.nan
    mode: int = -1
    pin: int = -1


def vectors(events: list[Event]) -> list[dict[str, float]]:
    """The stream's features of each event, given those that arrived before it."""
    return [_vector(events[:i], event) for i, event in enumerate(events)]


def _vector(arrived: list[Event], now: Event) -> dict[str, float]:
    out = {f.name: f.missing for f in FEATURES[:N_STREAM]}
    earlier = [e for e in arrived if e.card == now.card and now.time - 30 * DAY < e.time <= now.time]
    earlier.sort(key=lambda e: e.time)  # stable: ties stay in order of arrival
    both = [*earlier, now]

    def window(ms: int) -> list[int]:
        return [e.amount for e in both if e.time > now.time - ms]

    hour = now.time % DAY / 3_600_000
    out |= {"amount": now.amount / 100, "hour": hour, "night": float(hour < 6)}
    out["weekend"] = float((now.time // DAY + 3) % 7 in (5, 6))
    if now.mode >= 0:
        out[("entry_chip", "entry_contactless", "entry_swipe", "entry_manual", "entry_online")[now.mode]] = 1.0
    if now.pin >= 0:
        out["pin_used"] = float(now.pin)
    located = not (math.isnan(now.lat) or math.isnan(now.lon))
    out["has_location"] = float(located)
    for name, ms in (("10m", 600_000), ("1h", 3_600_000), ("1d", DAY), ("7d", 7 * DAY), ("30d", 30 * DAY)):
        out[f"count_{name}"] = float(len(window(ms)))
    for name, ms in (("1d", DAY), ("7d", 7 * DAY), ("30d", 30 * DAY)):
        amounts = window(ms)
        out[f"mean_{name}"] = sum(amounts) / 100 / len(amounts)
        if name != "30d":
            out[f"sum_{name}"] = sum(amounts) / 100
    if earlier:
        mean = sum(e.amount for e in earlier) / len(earlier)
        if mean > 0:
            out["ratio_to_mean_30d"] = now.amount / mean
        out["seconds_since_last"] = (now.time - earlier[-1].time) / 1000
        out["repeat_terminal"] = float(any(e.terminal == now.terminal for e in earlier))
    known = [e for e in earlier if not (math.isnan(e.lat) or math.isnan(e.lon))]
    if located and known:
        last = known[-1]
        km = haversine_km(last.lat, last.lon, now.lat, now.lon)
        out["distance_from_last_km"] = km
        out["speed_kmh"] = km / max((now.time - last.time) / 1000, 1.0) * 3600
    return out
