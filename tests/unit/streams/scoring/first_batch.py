"""Run as a program: warm up, then score the first batches, copy the state, and go on from the copy.

Prints which compiled functions took types that they had not met.
"""

from __future__ import annotations

import sys

import numpy as np
from numba.core.dispatcher import Dispatcher

from features.base.settings import Settings
from features.online import feast_encoding as encoding
from features.online.cached_reader import Reader
from features.online.decode_reply import decode
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH
from streams.engine import snapshot_store
from streams.scoring.scorer import Scorer
from streams.scoring.warm_up import warm
from tests.unit.streams.scoring.test_scorer import START, Model, Store, records, transaction


def types() -> dict[str, int]:
    """Of each compiled function of ours, by its place: for how many types it is."""
    modules = [module for name, module in sys.modules.items() if name.startswith(("features", "streams"))]
    dispatchers = [value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)]
    return {f"{value.py_func.__module__}.{value.py_func.__name__}": len(value.signatures) for value in dispatchers}


def main() -> None:
    settings = Settings()
    time, profile = encoding.timestamp(START), encoding.floats(np.ones(PROFILE_WIDTH, dtype=np.float32))
    usual, tiles = encoding.integers(np.ones(USUAL_WIDTH, dtype=np.int64)), encoding.integers(np.ones(8, dtype=np.int64))
    warm(settings)
    before = types()
    core = Scorer(settings, Model(), Reader(Store(), settings.feast))
    # Two partitions, a card that comes often and one that Redis does not know.
    core.process(records(*map(transaction, range(30))) + records(transaction(99, subject="unknown"), partition=1))
    # A snapshot is copied while the stream goes on.
    copy = core.copy(0)
    core.process(records(*map(transaction, range(100, 130)), first=30))
    while not copy.done:
        copy.step()
    # More than the first table of ids takes.
    for first in range(1000, 3000, 400):
        core.process(records(*map(transaction, range(first, first + 400)), first=first))
    written = b"".join(snapshot_store.encode(snapshot_store.Snapshot(1, core.state_version, copy.arrays())))
    core.load(1, snapshot_store.decode(written).arrays)
    core.process(records(*map(transaction, range(5000, 5100)), partition=1))
    decode([time, profile, usual, time, tiles], 1)
    new = sorted(name for name, count in types().items() if count > before.get(name, 0))
    sys.stdout.write(f"{sum(before.values())} {new}\n")


if __name__ == "__main__":
    main()
