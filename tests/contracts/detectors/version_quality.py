"""ADWIN on the frauds that a version misses."""

from __future__ import annotations

import numpy as np

from features.base.durations import DAY_MS
from features.base.sections import Drift
from streams.drift.performance.paired import Labelled
from streams.drift.performance.version_quality import Detection, Performance
from tests.contracts.detectors.contract import Contract, Draw

_A_DAY = 30


class Look:
    def __init__(self) -> None:
        self._performance = Performance("v1", Drift().adwin_delta)

    def __call__(self, window: list[Labelled], day: int) -> Detection | None:
        return self._performance.feed(window, (day + 1) * DAY_MS)


def missing(share: float) -> Draw:
    """Frauds of a day, of which this share has been missed."""

    def draw(rng: np.random.Generator, day: int) -> list[Labelled]:
        times = (day * DAY_MS + rng.integers(0, DAY_MS, _A_DAY)).tolist()
        missed = (rng.random(_A_DAY) < share).tolist()
        return [Labelled(times[i], f"{day}-{i}", times[i], "chargeback", missed[i], 0) for i in range(_A_DAY)]

    return draw


def shuffled(rng: np.random.Generator, window: list[Labelled]) -> list[Labelled]:
    return [window[i] for i in rng.permutation(len(window)).tolist()]


#: ADWIN's delta bounds how often it errs, not to zero.
CONTRACT = Contract(
    "streams.drift.performance.version_quality",
    Look,
    missing(0.2),
    {"half of what was found is missed": missing(0.6), "nothing is found": missing(1.0)},
    delay=4,
    days=60,
    seeds=20,
    false_alarms=2,
    shuffled=shuffled,
)
