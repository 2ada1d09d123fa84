"""What is published: a history that settles first, then a live stream shorter than the label delay.

Every payment of the history has a label soon after it, so that all its outcomes are known before the live part begins; and the
live part is shorter than the label delay, so that terminals are read as of the history only. What a score must be is thus a
function of the log, whatever the processes do, and can be computed again afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from features.events import Label, Transaction
from streams.codec import encode
from streams.publish.encode import encode_transactions
from streams.simulate.options import Options
from streams.simulate.simulation import Simulation

HISTORY_DAYS, LIVE_DAYS = 8, 6
DELAY_DAYS = 7.0
_HOUR_MS = 3_600_000
#: Of the live payments: sent twice, sent after others that happened later, and sent again with another amount.
_TWICE, _BEHIND, _CHANGED = 0.01, 0.01, 0.0005
#: A payment a card and day, or two: how many cards give a stream of so many payments.
_PER_CARD_DAY = 2.0


@dataclass(frozen=True, slots=True)
class Sent:
    """One record to publish."""

    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True)
class World:
    """``history`` and ``live`` in the order of their publishing; ``live_ms``: the event time at which the live part begins."""

    history: list[Sent]
    live: list[Sent]
    live_ms: int
    cards: list[str]


def build(seed: int, live: int) -> World:
    """A world whose live part has about ``live`` payments."""
    cards = max(200, int(live / LIVE_DAYS / _PER_CARD_DAY))
    simulation = Simulation(Options(cards=cards, terminals=max(60, cards // 4), seed=seed))
    rng = np.random.default_rng([seed, 2])
    live_ms = simulation.day_start_ms(HISTORY_DAYS)
    decode = msgspec.json.Decoder(Transaction).decode
    history: list[Sent] = []
    stream: list[tuple[float, Sent]] = []
    for day in range(HISTORY_DAYS + LIVE_DAYS):
        batch = simulation.day(day)
        for value, fraud in zip(encode_transactions(batch.transactions), batch.truth.is_fraud.tolist(), strict=True):
            payment = decode(value)
            key = payment.card_id.encode()
            label = Label(
                payment.transaction_id,
                payment.card_id,
                payment.terminal_id,
                payment.event_time_ms,
                fraud,
                payment.event_time_ms + _HOUR_MS,
            )
            if day < HISTORY_DAYS:
                history += [Sent("transactions", key, value), Sent("labels", key, encode(label))]
                continue
            place = float(len(stream))
            if rng.random() < _BEHIND:
                # Some of them by more than a day of the stream: late beyond what is allowed for.
                place += float(rng.choice([50.0, 500.0, 0.25 * live]))
            stream.append((place, Sent("transactions", key, value)))
            if rng.random() < _TWICE:
                behind = rng.integers(1, min(400, 1 + live // (2 * LIVE_DAYS)))
                stream.append((place + float(behind), Sent("transactions", key, value)))
            if rng.random() < _CHANGED:
                changed = msgspec.structs.replace(payment, amount_minor=payment.amount_minor + 1)
                # Soon enough to be within the horizon of duplicates, a day of the stream.
                behind = rng.integers(401, 800) if live > 800 * LIVE_DAYS * 2 else rng.integers(1, 1 + live // (2 * LIVE_DAYS))
                stream.append((place + float(behind), Sent("transactions", key, encode(changed))))
            if fraud:
                stream.append((place + 200.0, Sent("labels", key, encode(label))))
    ordered = [sent for _, sent in sorted(stream, key=lambda one: one[0])]
    ids = simulation.world.card_id.tolist()
    return World(history, ordered, live_ms, ids)


def malformed(seed: int, n: int) -> list[Sent]:
    """``n`` records that no scorer can take, most of them nearly right."""
    rng = np.random.default_rng([seed, 3])
    good = encode(Transaction("x", 1_767_600_000_000, "c", "m", 100))
    made: list[Sent] = []
    for i in range(n):
        kind = int(rng.integers(8))
        value = {
            0: good[: int(rng.integers(1, len(good)))],
            1: rng.bytes(int(rng.integers(1, 300))),
            2: b"[" * 2000,
            3: good.replace(b"1767600000000", b"-1"),
            4: good.replace(b"1767600000000", b"99999999999999999999"),
            5: good.replace(b"100", b"NaN"),
            6: good.replace(b'"c"', b"null"),
            7: b"{}" + b" " * int(rng.integers(0, 5000)),
        }[kind]
        made.append(Sent("transactions", f"bad-{i}".encode(), value))
    return made
