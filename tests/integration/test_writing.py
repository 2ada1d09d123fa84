"""Writers under replay: however often and in whatever batches rows come again, the newest one is what stays."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from features.base.durations import DAY_MS
from features.base.settings import Settings
from features.catalogue.vector import SCHEMA
from features.online.store import Activity, CounterpartRow, OnlineWriter, ProfileReader
from tests.profile_rows import profile_row, tiles

pytestmark = pytest.mark.integration

T0 = 17_600 * DAY_MS
N = 300


def _batches(draw: np.random.Generator, start: int) -> list[slice]:
    """From ``start`` to the end, in batches of random size."""
    cuts = sorted({start, N, *draw.integers(start, N, 6).tolist()})
    return [slice(a, b) for a, b in itertools.pairwise(cuts)]


@pytest.mark.parametrize("seed", range(3))
def test_a_replay_from_anywhere_ends_where_the_first_run_did(platform: Settings, seed: int) -> None:
    """Rows in the order of their topic: times go back and forth, and repeat."""
    draw = np.random.default_rng(seed)
    writer, reader = OnlineWriter(platform), ProfileReader(platform)
    entities = [f"replay-{seed}-{i}" for i in range(12)]
    of = draw.integers(0, len(entities), N)
    times = T0 + draw.integers(0, 40, N) * 1000
    activity = [
        Activity(entities[e], int(t), draw.random(3, dtype=np.float32), SCHEMA, None, f"x{i}")
        for i, (e, t) in enumerate(zip(of, times, strict=True))
    ]
    risk = [CounterpartRow(entities[e], int(t), tiles(T0, 5, i), i) for i, (e, t) in enumerate(zip(of, times, strict=True))]
    profiles = [profile_row(entities[e], int(t), float(i)) for i, (e, t) in enumerate(zip(of, times, strict=True))]

    def write(batches: list[slice]) -> None:
        for batch in batches:
            writer.write_activity(activity[batch])
            writer.write_counterpart_risk(risk[batch])
            writer.write_profiles(profiles[batch])

    def stored() -> tuple[list[Any], ...]:
        read = reader.read(entities, entities)
        activities = [a and (a.event_id, a.event_time_ms, a.vector.tobytes()) for a in reader.activity(entities)]
        counterparts = [read.tiles[b:e].tolist() for b, e in zip(read.begin, read.end, strict=True)]
        times = [*read.owner_ts_ms.tolist(), *read.counterpart_ts_ms.tolist()]
        return activities, counterparts, read.owner.tolist(), read.usual.tolist(), times

    write([slice(0, N)])
    first = stored()
    for entity, row in zip(range(len(entities)), first[0], strict=True):
        # The newest time; among equals the one that came last.
        last = max((i for i in range(N) if of[i] == entity), key=lambda i: (times[i], i))
        assert row == (f"x{last}", times[last], activity[last].vector.tobytes())
    for _ in range(4):
        write(_batches(draw, int(draw.integers(0, N))))
        assert stored() == first
