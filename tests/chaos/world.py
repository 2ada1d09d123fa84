"""What is published: a history that settles first, then a live stream shorter than the label delay.

Payments of the history have a label soon after them, and terminals are read as of the label delay before: its last day is
published once all outcomes of the days before are known, and the live part, which is shorter than the delay, once all of the
history are. What a score must be is thus a function of the log, whatever the processes do, and can be computed again afterwards.

So that outcomes mature while faults come, payments at some terminals have no labels; these terminals see payments in the first
days only, so that nobody reads what the matured outcomes say of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from zlib import crc32

import msgspec
import numpy as np

from features.base.durations import HOUR_MS
from features.base.events import Label
from features.domains.card_fraud.event import Payment
from streams.engine.codec import encode
from streams.publish.encode import encode_events
from streams.simulate.card_fraud.options import Options
from streams.simulate.card_fraud.simulation import Simulation

HISTORY_DAYS, LIVE_DAYS = 8, 6
DELAY_DAYS = 7.0
#: One terminal in so many is without labels, and has payments on so many days of the history.
_UNLABELLED, _UNLABELLED_DAYS = 12, 6
#: Of the live payments: sent twice, sent after others that happened later, and sent again with another amount.
_TWICE, _BEHIND, _CHANGED = 0.01, 0.01, 0.0005
#: A payment a card and day, or two: how many cards give a stream of so many payments.
_PER_CARD_DAY = 2.0


@dataclass(frozen=True, slots=True)
class Sent:
    """One record to publish. ``partitioner``: of ``streams.kafka.partitioners.KNOWN``, where it is not the producer's own."""

    topic: str
    key: bytes | None
    value: bytes
    partitioner: str = ""


@dataclass(frozen=True)
class World:
    """In the order of publishing: ``history`` without its last day, ``last_day``, and ``live``. ``begin_ms``: the event time at
    which the history begins."""

    history: list[Sent]
    last_day: list[Sent]
    live: list[Sent]
    begin_ms: int
    subjects: list[str]


def build(seed: int, live: int) -> World:
    """A world whose live part has about ``live`` payments."""
    subjects = max(200, int(live / LIVE_DAYS / _PER_CARD_DAY))
    simulation = Simulation(Options(cards=subjects, terminals=max(60, subjects // 4), seed=seed))
    rng = np.random.default_rng([seed, 2])
    decode = msgspec.json.Decoder(Payment).decode
    history: list[Sent] = []
    last_day: list[Sent] = []
    stream: list[tuple[float, Sent]] = []
    for day in range(HISTORY_DAYS + LIVE_DAYS):
        batch = simulation.day(day)
        for value, positive in zip(encode_events(batch.transactions), batch.truth.positive.tolist(), strict=True):
            event = decode(value)
            key = event.subject.encode()
            unlabelled = crc32(event.counterpart.encode()) % _UNLABELLED == 0
            if unlabelled and day >= _UNLABELLED_DAYS:
                continue
            label = Label(
                event.event_id,
                event.subject,
                event.counterpart,
                event.event_time_ms,
                positive,
                event.event_time_ms + HOUR_MS,
            )
            if day < HISTORY_DAYS:
                settled = history if day < HISTORY_DAYS - 1 else last_day
                settled.append(Sent("transactions", key, value))
                if not unlabelled:
                    settled.append(Sent("labels", key, encode(label)))
                continue
            place = float(len(stream))
            payment, labelled = _by_some_client(Sent("transactions", key, value)), Sent("labels", key, encode(label))
            if rng.random() < _BEHIND:
                # Some of them by more than a day of the stream: late beyond what is allowed for.
                place += float(rng.choice([50.0, 500.0, 0.25 * live]))
            stream.append((place, payment))
            if rng.random() < _TWICE:
                behind = rng.integers(1, min(400, 1 + live // (2 * LIVE_DAYS)))
                if not _may_pass(Sent("transactions", key, value)):
                    stream.append((place + float(behind), payment))
            if rng.random() < _CHANGED:
                changed = msgspec.structs.replace(event, measure=event.measure + 1)
                # Soon enough to be within the horizon of duplicates, a day of the stream.
                behind = rng.integers(401, 800) if live > 800 * LIVE_DAYS * 2 else rng.integers(1, 1 + live // (2 * LIVE_DAYS))
                if not _may_pass(Sent("transactions", key, value)):
                    stream.append((place + float(behind), _by_some_client(Sent("transactions", key, encode(changed)))))
            if positive:
                stream.append((place + 200.0, _by_some_client(labelled)))
    ordered = [sent for _, sent in sorted(stream, key=lambda entry: entry[0])]
    ids = simulation.world.subject.tolist()
    return World(history, last_day, ordered, simulation.day_start_ms(0), ids)


def _client(sent: Sent) -> int:
    """Which of 100 clients sends the records of a card."""
    return crc32(sent.key or b"") % 100


def _may_pass(sent: Sent) -> bool:
    """Whether its client sends records of a card to several partitions, where they may pass each other: behind a backlog of more
    than the horizon of duplicates a repeated one would then not be known."""
    return 8 <= _client(sent) < 12


def _by_some_client(sent: Sent) -> Sent:
    """The record as one of several clients sends it: one in seven comes to a partition that need not be its card's."""
    client = _client(sent)
    if client < 6:
        return replace(sent, partitioner="crc32")
    if client < 8:
        return replace(sent, partitioner="fnv1a")
    if client < 12:
        return replace(sent, key=None)
    return replace(sent, key=b"terminal-%d" % client) if client < 14 else sent


def malformed(seed: int, n: int) -> list[Sent]:
    """``n`` records that no scorer can take, most of them nearly right."""
    rng = np.random.default_rng([seed, 3])
    good = encode(Payment("x", 1_767_600_000_000, "c", "m", 100))
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
