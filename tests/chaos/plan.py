"""The schedule: which fault comes when, as a pure function of the seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Kind = Literal[
    "kill scorer",
    "stop scorer (zombie)",
    "kill writers",
    "kill drift monitor",
    "kill model server",
    "slow model server",
    "model server answers errors",
    "kill broker",
    "kill redis",
    "malformed burst",
    "duplicate burst",
    "late burst",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: How often each comes, relative to the others. A zombie takes longer than the session time-out, so there are fewer.
_WEIGHTS: dict[Kind, float] = {
    "kill scorer": 4,
    "stop scorer (zombie)": 1,
    "kill writers": 2,
    "kill drift monitor": 1,
    "kill model server": 2,
    "slow model server": 2,
    "model server answers errors": 2,
    "kill broker": 2,
    "kill redis": 2,
    "malformed burst": 2,
    "duplicate burst": 2,
    "late burst": 2,
}


#: How often a fault comes while the one before it is still there.
_UPON = 0.15


@dataclass(frozen=True, slots=True)
class Fault:
    """``member``: which of several processes. ``pause_s``: how long after the recovery from the fault before it this one
    comes, or, where it comes ``upon`` that one, how long after its beginning."""

    kind: Kind
    member: int
    pause_s: float
    upon: bool = False


def plan(seed: int, faults: int, members: int) -> list[Fault]:
    """``faults`` of them; each kind comes at least once, and alone, where there are enough. Never more than two at once."""
    rng = np.random.default_rng([seed, 1])
    weights = np.array([_WEIGHTS[kind] for kind in KINDS])
    kinds = [
        *rng.permutation(len(KINDS))[:faults],
        *rng.choice(len(KINDS), max(0, faults - len(KINDS)), p=weights / weights.sum()),
    ]
    made: list[Fault] = []
    for n, kind in enumerate(kinds):
        upon = n > len(KINDS) and not made[-1].upon and rng.random() < _UPON
        made.append(Fault(KINDS[kind], int(rng.integers(members)), float(rng.uniform(0.0, 1.5)), upon))
    return made


def steps(faults: list[Fault]) -> list[list[Fault]]:
    """Those that come together, in their order."""
    groups: list[list[Fault]] = []
    for fault in faults:
        if fault.upon:
            groups[-1].append(fault)
        else:
            groups.append([fault])
    return groups
