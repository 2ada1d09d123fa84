"""The features again, the slow way: for each event, look at every earlier one. No running state, no windows that slide.

One line a feature, or a family; exact integers and fractions where the transform has tricks, and another formula for distances.
What is remembered of a card is by docs/features.md: its newest 2,048 purchases of at most 91 days, and with each what was said of
it when it came; beside them, in the same way, what was given back and declined.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.catalogue.vector import FEATURES, N_STREAM

HOUR = 3_600_000
DAY = 24 * HOUR
WINDOWS = {"10m": HOUR // 6, "1h": HOUR, "6h": 6 * HOUR, "1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY}
MODES = ("used_chip", "entry_contactless", "entry_swipe", "entry_manual", "online_order")


@dataclass(frozen=True)
class Event:
    """A transaction as the naive reference reads it; NaN and -1 for unknown."""

    subject: str
    time: int
    amount: int
    counterpart: int = 1
    lat: float = math.nan
    lon: float = math.nan
    mode: int = -1
    pin: int = -1
    #: 0 purchase, 1 refund, 2 reversal, 3 declined; -1: the amount is not known.
    kind: int = 0


@dataclass
class _Arrived:
    """An event, and what is said of it: its ratio as of its arrival, and whether its terminal was new to the card."""

    event: Event
    ratio: float = 0.0
    first: bool = True


def vectors(events: Sequence[Event], wanted: Collection[int] | None = None) -> list[dict[str, float]]:
    """The stream's features of each event, given those that arrived before it; of the ``wanted`` ones only, by their number."""
    subjects: dict[str, list[_Arrived]] = {}
    others: dict[str, list[Event]] = {}
    rows = []
    for i, came in enumerate(events):
        event, arrival = came, _Arrived(came)
        held = subjects.setdefault(event.subject, [])
        # Only a purchase is remembered; of the others it is asked what would be said of them.
        before = _remember(held if event.kind == 0 else [replace(a) for a in held], arrival)
        earlier = [a for a in before if a.event.time > event.time - 90 * DAY]
        if event.kind < 0:
            arrival.event = event = replace(event, amount=int(_robust_mean([a.event.amount for a in earlier]) + 0.5))
        of_amounts = _of_amounts(earlier, arrival)
        apart = _apart(others.setdefault(event.subject, []), event)
        if wanted is None or i in wanted:
            rows.append(_vector(before, earlier, arrival) | of_amounts | _of_others(apart, earlier, event))
    return rows


def _apart(held: list[Event], event: Event) -> list[Event]:
    """Put an event of another kind into what is held of them, and return those no later than the event: it alone, if too late."""
    if event.kind <= 0:
        return [e for e in held if e.time <= event.time]
    line = sorted([*held, event], key=lambda e: e.time)
    line = [e for e in line if e.time > line[-1].time - 91 * DAY][-2048:]
    if not any(e is event for e in line):
        return [event]
    held[:] = line
    return [e for e in line if e.time <= event.time]


def _of_others(apart: list[Event], earlier: list[_Arrived], event: Event) -> dict[str, float]:
    out: dict[str, float] = {}
    for name in ("1h", "1d"):
        out[f"declined_{name}"] = float(sum(e.kind == 3 for e in apart if e.time > event.time - WINDOWS[name]))
    tried = sum(a.event.time > event.time - DAY for a in earlier) + 1
    out["declined_share_1d"] = out["declined_1d"] / (out["declined_1d"] + tried)
    for name in ("1d", "30d"):
        back = [e.amount for e in apart if e.kind in (1, 2) and e.time > event.time - WINDOWS[name]]
        out |= {f"refunds_{name}": float(len(back)), f"refund_sum_{name}": sum(back) / 100}
    return out


def _remember(held: list[_Arrived], arrival: _Arrived) -> list[_Arrived]:
    """Put an event into what is held of its card, and return what lies before it: nothing, if it comes too late to be held."""
    event = arrival.event
    # Stable: ties stay in order of arrival.
    line = sorted([*held, arrival], key=lambda a: a.event.time)
    line = [a for a in line if a.event.time > line[-1].event.time - 91 * DAY][-2048:]
    if not any(a is arrival for a in line):
        return []
    held[:] = line
    at = next(i for i, a in enumerate(line) if a is arrival)
    same = [
        (i, a)
        for i, a in enumerate(line)
        if a.event.counterpart == event.counterpart and abs(a.event.time - event.time) < 90 * DAY
    ]
    arrival.first = not any(i < at for i, _ in same)
    for i, a in same:
        a.first = a.first and i <= at
    return line[:at]


def _vector(before: list[_Arrived], earlier: list[_Arrived], arrival: _Arrived) -> dict[str, float]:
    event, t = arrival.event, arrival.event.time
    out = {f.name: f.missing for f in FEATURES[:N_STREAM]}
    out |= _of_itself(event)
    for name, length in WINDOWS.items():
        out |= _of_window(name, [a.event.amount for a in earlier if a.event.time > t - length], event.amount)
    out |= _of_places(earlier, event) | _of_terminals(before, earlier, arrival)
    if earlier:
        out["seconds_since_last"] = (t - earlier[-1].event.time) / 1000
    month = [a.event for a in earlier if a.event.time > t - 30 * DAY] + [event]
    out["share_night_30d"] = sum(e.time % DAY < 6 * HOUR for e in month) / len(month)
    out["share_online_30d"] = sum(e.mode == 4 for e in month) / len(month)
    out["share_contactless_30d"] = sum(e.mode == 1 for e in month) / len(month)
    week = [a.event for a in earlier if a.event.time > t - 7 * DAY] + [event]
    # From the oldest on: the order in which floats are added shows in the last bit.
    weights = [2.0 ** -((t - e.time) // HOUR / 24) for e in week]
    out["decayed_count"] = sum(weights)
    out["decayed_sum"] = sum(w * e.amount for w, e in zip(weights, week, strict=True)) / 100
    return out


def _of_itself(event: Event) -> dict[str, float]:
    hour = event.time % DAY / HOUR
    out = {"amount": event.amount / 100, "hour": hour, "night": float(hour < 6)}
    out["weekend"] = float((event.time // DAY + 3) % 7 in (5, 6))
    out["used_pin_number"] = float(event.pin)
    out |= {name: float(event.mode == i) for i, name in enumerate(MODES)}
    out["has_location"] = float(not (math.isnan(event.lat) or math.isnan(event.lon)))
    out["amount_above_limit"] = float(event.amount > 22_000)
    return out


def _spread(amounts: list[int]) -> float:
    """n^2 times the variance, from exact integers: 64 bits each of its two halves are converted apart."""
    exact = len(amounts) * sum(a * a for a in amounts) - sum(amounts) ** 2
    return float(exact >> 64) * 2.0**64 + float(exact & (2**64 - 1))


def _of_window(name: str, others: list[int], amount: int) -> dict[str, float]:
    both = [*others, amount]
    out = {f"count_{name}": float(len(both)), f"sum_{name}": sum(both) / 100, f"mean_{name}": sum(both) / 100 / len(both)}
    out[f"max_{name}"] = max(both) / 100
    out[f"std_{name}"] = math.sqrt(_spread(both)) / len(both) / 100
    if sum(others) > 0:
        out[f"ratio_to_mean_{name}"] = amount * len(others) / sum(others)
    if _spread(others) > 0:
        out[f"zscore_{name}"] = (len(both) * amount - sum(both)) / math.sqrt(_spread(others))
    return out


def _of_places(earlier: list[_Arrived], event: Event) -> dict[str, float]:
    known = [a.event for a in earlier if not (math.isnan(a.event.lat) or math.isnan(a.event.lon))]
    if math.isnan(event.lat) or math.isnan(event.lon) or not known:
        return {}
    last = known[-1]
    single = [float(np.float32(degrees)) for degrees in (last.lat, last.lon, event.lat, event.lon)]
    km = _kilometres(*single)
    speed = km / max((event.time - last.time) / 1000, 1.0) * 3600
    return {"distance_from_last_transaction": km, "speed_kmh": speed}


def _kilometres(*degrees: float) -> float:
    """Along the sphere of the Earth's mean radius: the angle between two vectors, from their cross and dot products."""
    places: list[NDArray[np.float64]] = []
    for lat, lon in (degrees[:2], degrees[2:]):
        phi, theta = math.radians(lat), math.radians(lon)
        places.append(np.array([math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta), math.sin(phi)]))
    point, other = places
    return 6371.0088 * math.atan2(float(np.linalg.norm(np.cross(point, other))), float(np.dot(point, other)))


def _of_terminals(before: list[_Arrived], earlier: list[_Arrived], arrival: _Arrived) -> dict[str, float]:
    event = arrival.event
    events = [*(a.event for a in earlier), event]
    out = {"repeat_retailer": float(any(e.counterpart == event.counterpart for e in events[:-1]))}
    for name in ("1d", "7d", "30d", "90d"):
        out[f"terminals_{name}"] = float(len({e.counterpart for e in events if e.time > event.time - WINDOWS[name]}))
    for name in ("1d", "7d", "30d"):
        out[f"new_terminals_{name}"] = float(
            sum(a.first for a in [*before, arrival] if a.event.time > event.time - WINDOWS[name])
        )
    return out


def _median(amounts: list[int]) -> float:
    line, n = sorted(amounts), len(amounts)
    return (line[(n - 1) // 2] + line[n // 2]) / 2 if n else 0.0


def _robust_mean(amounts: list[int]) -> float:
    ordinary = [a for a in amounts if a <= 2.6 * _median(amounts)]
    return (sum(ordinary) + 2.0 * 5000.0) / (len(ordinary) + 2.0)


def _of_amounts(earlier: list[_Arrived], arrival: _Arrived) -> dict[str, float]:
    event, amounts = arrival.event, sorted(a.event.amount for a in earlier)
    median = _median(amounts)
    arrival.ratio = float(np.float32(event.amount / _robust_mean(amounts)))
    out = {"ratio_to_median_purchase_price": event.amount / median if median > 0 else 1.0, "ratio_to_robust_mean": arrival.ratio}
    for days in (3, 14):
        recent = [a for a in earlier if a.event.time > event.time - days * DAY]
        out[f"max_robust_ratio_{days}d"] = max((a.ratio for a in recent), default=0.0)
    out["high_amounts_14d"] = float(sum(a.ratio > 2.6 for a in recent))
    high = [a.event.time for a in earlier if a.ratio > 2.6]
    out["days_since_high"] = (event.time - high[-1]) / DAY if high else -1.0
    return out
