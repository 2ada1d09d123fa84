"""Rows of terminals and customers such as a platform has after some weeks."""

from __future__ import annotations

from typing import Literal

import numpy as np

from features.base.durations import DAY_MS
from features.base.events import Outcome
from features.online.store import CounterpartRow, ProfileRow
from features.transform import counterpart_tiles
from features.transform.profiles import CATEGORIES, COUNTERPARTS, PROFILE_WIDTH, USUAL_WIDTH

#: 2026-01-01, and for how many days before it tiles are kept.
NOW_MS = 20_454 * DAY_MS
_DAYS = 69
#: Terminals whose history is made; the others share theirs.
_DIFFERENT = 500


def counterparts(count: int, daily: float = 1.0, seed: int = 3) -> list[CounterpartRow]:
    """``count`` terminals with 69 days of outcomes each, ``daily`` a day in the mean (as the Handbook's), 1 % of them fraud."""
    draw = np.random.default_rng(seed)
    state: dict[str, counterpart_tiles.Counterpart] = {}
    for number in range(min(count, _DIFFERENT)):
        n = int(draw.poisson(_DAYS * daily * draw.lognormal(-0.3, 0.8)))
        times = np.sort(NOW_MS - draw.integers(1, _DAYS * DAY_MS, n)).tolist()
        positives = (draw.random(n) < 0.01).tolist()
        counterpart_tiles.update(state, [outcome(f"{number}", t, f) for t, f in zip(times, positives, strict=True)])
    different = [counterpart.tiles for counterpart in state.values()]
    return [CounterpartRow(f"terminal-{i}", NOW_MS, different[i % len(different)], i + 1) for i in range(count)]


def owners(count: int, seed: int = 4) -> list[ProfileRow]:
    """``count`` customers with a home, hours, eight categories and sixteen terminals."""
    draw = np.random.default_rng(seed)
    profile = draw.lognormal(3.5, 0.6, (count, PROFILE_WIDTH)).astype(np.float32)
    usual = np.zeros((count, USUAL_WIDTH), dtype=np.int64)
    usual[:, : CATEGORIES // 2] = draw.integers(-(2**63), 2**63, (count, CATEGORIES // 2))
    usual[:, CATEGORIES:] = draw.integers(-(2**31), 2**31, (count, COUNTERPARTS))
    return [ProfileRow(f"card-{i}", NOW_MS, profile[i], usual[i]) for i in range(count)]


def outcome(counterpart: str, event_time_ms: int, positive: bool) -> Outcome:
    """What became of a transaction, known a week later."""
    source: Literal["chargeback", "matured"] = "chargeback" if positive else "matured"
    return Outcome("t", "c", counterpart, event_time_ms, event_time_ms + 7 * DAY_MS, positive, source)
