"""Hostile headers: names that are ours with values that are not, long ones, many, doubled, empty, none."""

from __future__ import annotations

import random
from collections.abc import Iterator

from streams.engine.core import ATTEMPT_HEADER
from streams.engine.moved_counts import CLIENT_HEADER
from streams.engine.moved_header import MOVED_HEADER
from streams.engine.repartition_header import HEADER

Headers = list[tuple[str, bytes | None]]

_VALUES: tuple[bytes | None, ...] = (
    None,
    b"",
    b",",
    b"1,",
    b",-1",
    b"0,0",
    b"1,2,3",
    b"1,2,3,4,1",
    b"3,999999999999999999,1,1,8",
    b"0,0,0,0,9" + b"9" * 17,
    b"1,2,99999999999999999,99999999999999999,1",
    b"1767600000000,1767600000000",
    b"-999999999999999999,999999999999999999",
    b"9" * 18,
    b"9" * 5000,
    b"9" * 5000 + b",1",
    b"2",
    b"-1",
    b"+1",
    b" 1",
    b"1e3",
    "١٢".encode(),
    b"\xb2",
    b"\xff\xfe",
    b"x" * 20_000,
)
_OURS = (ATTEMPT_HEADER, HEADER, MOVED_HEADER, CLIENT_HEADER)
_NAMES = (*_OURS, "", "traceparent", "\u202e", "💳", "n" * 3000, "a\tb", ATTEMPT_HEADER.upper())


def hostile_headers(seed: int) -> Iterator[Headers]:
    """An endless iterator; two in three have none, as most producers send none."""
    rng = random.Random(f"headers-{seed}")
    while True:
        kind = rng.random()
        if kind < 0.67:
            yield []
        elif kind < 0.68:
            yield [(rng.choice(_NAMES), rng.choice(_VALUES[:8]))] * rng.randrange(2, 300)
        else:
            yield [(rng.choice(_NAMES), rng.choice(_VALUES)) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
