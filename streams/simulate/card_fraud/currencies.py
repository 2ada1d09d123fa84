"""A world of several currencies: each terminal takes one, at a rate that each day has of its own.

What happens is the same as in a world of one currency, and so is what it is worth; only what producers send differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS
from features.base.rates import HEADER, moment
from features.domains.card_fraud.currencies import PLACES, REFERENCE

#: About what one is worth in EUR.
WORTH = {"EUR": "1", "USD": "0.92", "GBP": "1.17", "CHF": "1.05", "PLN": "0.23", "HUF": "0.0025", "JPY": "0.0061", "KWD": "3.02"}
#: How far a day's rate may lie from that, as a share.
_SWING = 0.03


def rate(seed: int, currency: str, day: int) -> Decimal:
    """Return what one of ``currency`` is worth in EUR on a day of the world."""
    swing = np.random.default_rng([seed, 9, list(WORTH).index(currency), day]).uniform(-_SWING, _SWING)
    return Decimal(WORTH[currency]) * Decimal(f"{1 + swing:.4f}")


def of_terminals(seed: int, currencies: Sequence[str], terminals: int) -> NDArray[np.object_]:
    """Return the currency that each terminal takes, [terminals]: half of them the first one."""
    dice = np.random.default_rng([seed, 8])
    share = np.full(len(currencies), 0.5 / max(len(currencies) - 1, 1))
    share[0] = 0.5 if len(currencies) > 1 else 1.0
    return np.array(currencies, dtype=object)[dice.choice(len(currencies), terminals, p=share)]


def in_currency(cents: NDArray[np.int64], currency: NDArray[np.object_], seed: int, day: int) -> NDArray[np.int64]:
    """Convert amounts in cents of EUR into minor units of each payment's currency [n], at least one."""
    minor = cents.copy()
    for code in set(currency.tolist()) - {REFERENCE}:
        mine = currency == code
        worth = float(rate(seed, code, day)) * 100.0 / 10 ** PLACES[code]
        minor[mine] = np.maximum(np.rint(cents[mine] / worth).astype(np.int64), 1)
    return minor


def table(seed: int, currencies: Sequence[str], start_ms: int, first: int, end: int) -> str:
    """Return the rates of the days [first, end) as the file that ``units.rates`` names."""
    rows = [
        f"{code},{moment(start_ms + day * DAY_MS)},{rate(seed, code, day)}"
        for day in range(first, end)
        for code in currencies
        if code != REFERENCE
    ]
    return "\n".join((",".join(HEADER), *rows, ""))
