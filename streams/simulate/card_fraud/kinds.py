"""What is no purchase: money given back, purchases taken back, and payments that were declined, honest ones and a thief's."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from features.base.durations import DAY_MS, MINUTE_MS, SECOND_MS
from features.domains.card_fraud.event import PaymentKind
from streams.simulate.card_fraud.rows import CHIP, ONLINE, Rows, cents
from streams.simulate.card_fraud.world import World

_KINDS: tuple[PaymentKind, ...] = get_args(PaymentKind)
REFUND, REVERSAL, DECLINED = map(_KINDS.index, ("refund", "reversal", "declined"))
#: A refund comes so many days after its purchase.
REFUND_DAYS = (1, 14)
#: Share of the refunds that give all of it back.
WHOLE_SHARE = 0.7
#: How often a stolen number is tried in vain before it is given up or works.
TRIES = (4, 20)


def refunded_day(seed: int, day: int) -> int:
    """Return the day whose purchases are given back on ``day``; below 0 where that is before the beginning."""
    rng = np.random.default_rng([seed, 8, day])
    return day - int(rng.integers(REFUND_DAYS[0], REFUND_DAYS[1] + 1))


def refunds(bought: Rows, share: float, rng: np.random.Generator) -> Rows:
    """Give back a share of the purchases of an earlier day: whole or in part, at the same terminal, by day."""
    rows = _some(bought, share, rng, REFUND)
    n = len(rows)
    part = np.where(rng.random(n) < WHOLE_SHARE, 1.0, rng.uniform(0.1, 0.9, n))
    time = (rng.triangular(8.0, 14.0, 20.0, n) * 60 * MINUTE_MS).astype(np.int64)
    return replace(rows, amount=cents(rows.amount / 100.0 * part, 1), time=time)


def reversals(bought: Rows, share: float, rng: np.random.Generator) -> Rows:
    """Take back a share of the day's purchases within minutes: all of it, at the same terminal."""
    rows = _some(bought, share, rng, REVERSAL)
    return replace(rows, time=_after(rows.time, rng.exponential(6.0, len(rows)) * MINUTE_MS + 20 * SECOND_MS))


def declined(bought: Rows, share: float, rng: np.random.Generator) -> Rows:
    """Decline an attempt before a share of the day's purchases: a wrong PIN, or more than the card's limit allows."""
    rows = _some(bought, share, rng, DECLINED)
    n = len(rows)
    mistyped = (rows.mode == CHIP) & (rng.random(n) < 0.7)
    times = np.where(mistyped, 1.0, rng.uniform(3.0, 8.0, n))
    before = rng.uniform(15.0, 120.0, n) * SECOND_MS
    return replace(rows, amount=cents(rows.amount / 100.0 * times), time=_after(rows.time, -before))


def tried_in_vain(world: World, testing: Rows, rng: np.random.Generator) -> Rows:
    """Make the declined attempts of card testing: small amounts online, at the merchant that a thief uses, seconds apart.

    ``testing``: the day's accepted ones. Each number was tried in vain before it worked, and as many others never did.
    """
    _, first = np.unique(testing.card * world.terminals + testing.terminal, return_index=True)
    k = len(first)
    never = rng.integers(0, world.cards, k)
    card = np.concatenate([testing.card[first], never])
    terminal = np.concatenate([testing.terminal[first]] * 2)
    begin = np.concatenate([testing.time[first], rng.integers(0, DAY_MS, k)])
    tries = rng.integers(TRIES[0], TRIES[1] + 1, 2 * k)
    of = np.repeat(np.arange(2 * k), tries)
    n = len(of)
    ago = rng.uniform(5 * SECOND_MS, 25 * MINUTE_MS, n)
    return Rows(
        card[of],
        terminal[of],
        _after(begin[of], -ago),
        cents(rng.uniform(0.5, 5.0, n)),
        np.full(n, ONLINE, dtype=np.int8),
        np.full(n, -1, dtype=np.int8),
        np.zeros(n, dtype=np.int8),
        np.full(n, DECLINED, dtype=np.int8),
    )


def _some(bought: Rows, share: float, rng: np.random.Generator, kind: int) -> Rows:
    rows = bought.take(rng.random(len(bought)) < share)
    return replace(rows, kind=np.full(len(rows), kind, dtype=np.int8))


def _after(time: NDArray[np.int64], ms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the time so many ms later, within the day."""
    later: NDArray[np.int64] = np.clip(time + ms.astype(np.int64), 0, DAY_MS - 1)
    return later
