"""What the peers keep of a card: its payments of the last day. Imports nothing, so that it runs in any environment."""

from __future__ import annotations

from typing import Any

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def step(recent: list[list[int]], event: dict[str, Any]) -> tuple[list[list[int]], list[float]]:
    """The card's payments ([event time ms, amount] each) with ``event``, and nine numbers: amount, then count, sum, mean and
    maximum of the last hour and of the last day."""
    event_ms, amount = event["event_time_ms"], event["amount_minor"]
    kept = [paid for paid in recent if paid[0] > event_ms - DAY_MS]
    kept.append([event_ms, amount])
    numbers = [amount / 100]
    for window in (HOUR_MS, DAY_MS):
        amounts = [paid[1] for paid in kept if paid[0] > event_ms - window]
        total = sum(amounts)
        numbers += [float(len(amounts)), total / 100, total / 100 / len(amounts), max(amounts) / 100]
    return kept, numbers


def question(numbers: list[float], profile: list[float], width: int) -> dict[str, Any]:
    """A request of KServe's V2 protocol for one vector: these numbers, the profile's, and zeros up to ``width``."""
    vector = (numbers + profile)[:width]
    vector += [0.0] * (width - len(vector))
    return {"inputs": [{"name": "features", "shape": [1, width], "datatype": "FP32", "data": vector}]}
