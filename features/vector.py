"""The vector: which features, in which order, under which hash, and what stands for missing.

A vector is always finite: a model server can refuse NaN outright, and JSON has no NaN. Each feature therefore
names the value that stands for missing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

#: Which view a value comes from: computed in the stream, or read from Feast as of the event.
Source = Literal["transaction", "card", "terminal", "customer"]


@dataclass(frozen=True)
class Feature:
    """One column of the vector. ``missing`` is the value that stands for an unknown one."""

    name: str
    source: Source
    unit: str
    meaning: str
    missing: float = 0.0


FEATURES: tuple[Feature, ...] = (
    Feature("amount", "transaction", "currency units", "amount of this transaction"),
    Feature("hour", "transaction", "hours", "hour of the day, UTC, with its fraction"),
    Feature("weekend", "transaction", "0/1", "Saturday or Sunday, UTC"),
    Feature("night", "transaction", "0/1", "before 06:00 UTC"),
    Feature("entry_chip", "transaction", "0/1", "chip was read"),
    Feature("entry_contactless", "transaction", "0/1", "contactless"),
    Feature("entry_swipe", "transaction", "0/1", "magnetic stripe was read"),
    Feature("entry_manual", "transaction", "0/1", "number was keyed in"),
    Feature("entry_online", "transaction", "0/1", "bought online"),
    Feature("pin_used", "transaction", "0/1", "PIN was entered", missing=-1.0),
    Feature("has_location", "transaction", "0/1", "latitude and longitude are known"),
    Feature("count_10m", "card", "transactions", "of the card in the last 10 minutes, this one included"),
    Feature("count_1h", "card", "transactions", "in the last hour, this one included"),
    Feature("count_1d", "card", "transactions", "in the last day, this one included"),
    Feature("count_7d", "card", "transactions", "in the last 7 days, this one included"),
    Feature("count_30d", "card", "transactions", "in the last 30 days, this one included"),
    Feature("sum_1d", "card", "currency units", "spent in the last day, this one included"),
    Feature("sum_7d", "card", "currency units", "spent in the last 7 days, this one included"),
    Feature("mean_1d", "card", "currency units", "mean amount of the last day, this one included"),
    Feature("mean_7d", "card", "currency units", "mean amount of the last 7 days, this one included"),
    Feature("mean_30d", "card", "currency units", "mean amount of the last 30 days, this one included"),
    Feature("ratio_to_mean_30d", "card", "ratio", "amount over the mean of the earlier ones in 30 days", missing=1.0),
    Feature("seconds_since_last", "card", "seconds", "since the card's last transaction", missing=-1.0),
    Feature("distance_from_last_km", "card", "km", "from the card's last known place", missing=-1.0),
    Feature("speed_kmh", "card", "km/h", "needed to come from the last known place", missing=-1.0),
    Feature("repeat_terminal", "card", "0/1", "the card used this terminal in the last 30 days"),
    Feature("distance_from_home_km", "customer", "km", "from the home in the customer profile", missing=-1.0),
    Feature("ratio_to_usual_amount", "customer", "ratio", "amount over the profile's mean amount", missing=1.0),
    Feature("terminal_count_1d", "terminal", "transactions", "at the terminal, the day before the label delay"),
    Feature("terminal_risk_1d", "terminal", "share", "of fraud among them, smoothed"),
    Feature("terminal_count_7d", "terminal", "transactions", "at the terminal, the 7 days before the label delay"),
    Feature("terminal_risk_7d", "terminal", "share", "of fraud among them, smoothed"),
    Feature("terminal_count_28d", "terminal", "transactions", "at the terminal, the 28 days before the label delay"),
    Feature("terminal_risk_28d", "terminal", "share", "of fraud among them, smoothed"),
)

NAMES: tuple[str, ...] = tuple(f.name for f in FEATURES)
INDEX: dict[str, int] = {name: i for i, name in enumerate(NAMES)}
WIDTH = len(NAMES)
SERVICE = "fraud_v1"

#: The columns that the stream's own state gives; the rest is read from Feast.
N_STREAM = sum(f.source in ("transaction", "card") for f in FEATURES)


def schema_hash() -> str:
    """Short hash of names, order and missing values: vectors with another hash are not comparable."""
    text = "|".join(f"{f.name}:{f.missing!r}" for f in FEATURES)
    return f"{SERVICE}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


SCHEMA = schema_hash()
