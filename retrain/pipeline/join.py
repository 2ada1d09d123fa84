"""What comes from Feast: publish the customer profiles, then see every event as it was seen, or would have been, at its time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.columns import from_table
from features.offline import point_in_time, write_profiles_offline
from features.online import OnlineWriter, ProfileRow
from features.profiles import PROFILE_WIDTH, USUAL_WIDTH, fill
from features.settings import Settings
from features.vector import WIDTH
from retrain.training.dataset import Dataset
from retrain.training.split import card_hash

#: Events a join takes at once: the terminals' tiles take 1.1 kB an event.
CHUNK = 200_000
#: The job computes all days anew each time, so its file replaces the last run's.
PROFILES_NAME = "daily"


def publish_profiles(settings: Settings, folder: Path) -> int:
    """Write the daily profiles in ``folder`` to Feast: all offline, the newest of each card online. Returns how many there are.

    Raises redis.RedisError where the online store does not take them.
    """
    table = pq.read_table(folder)
    rows = _profile_rows(table)
    write_profiles_offline(settings, rows, PROFILES_NAME)
    newest: dict[str, ProfileRow] = {}
    for row in rows:
        known = newest.get(row.card_id)
        if known is None or row.event_time_ms > known.event_time_ms:
            newest[row.card_id] = row
    writer = OnlineWriter(settings)
    try:
        writer.write_profiles(list(newest.values()))
    finally:
        writer.close()
    return len(rows)


def training_table(settings: Settings, folder: Path) -> Dataset:
    """The prepared rows in ``folder``, in event-time order, their customer and terminal columns recomputed as of each event."""
    table = pq.read_table(folder).sort_by("event_time_ms")
    n = table.num_rows
    vectors = _vectors(table.column("features"))
    batch = from_table(table)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        events = table.slice(start, CHUNK).select(["card_id", "terminal_id", "event_time_ms"]).to_pandas()
        rows = np.arange(start, min(start + CHUNK, n))
        profiles = point_in_time(settings, events)
        fill(vectors[part], batch.take(rows), profiles, settings.labels.delay_ms, settings.labels.step_hours)
    card = card_hash(table.column("card_id").to_pylist())
    return Dataset(
        vectors,
        batch.event_time_ms,
        batch.amount_minor,
        _column(table, "is_fraud", np.bool_),
        _column(table, "known", np.bool_),
        card,
    )


def _profile_rows(table: pa.Table) -> list[ProfileRow]:
    cards, times = (table.column(name).to_pylist() for name in ("card_id", "event_time_ms"))
    profiles = _lists(table.column("profile"), PROFILE_WIDTH).astype(np.float32)
    usual = _lists(table.column("usual"), USUAL_WIDTH).astype(np.int64)
    return [ProfileRow(*row) for row in zip(cards, times, profiles, usual, strict=True)]


def _lists(column: pa.ChunkedArray, width: int) -> NDArray[Any]:
    """A column of lists of one length as rows [n, width]."""
    return np.asarray(column.combine_chunks().flatten().to_numpy(zero_copy_only=False)).reshape(-1, width)


def _vectors(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """List column -> float32 [n, WIDTH]. Raises ValueError where a list has another length: the archive is broken then."""
    lists = column.combine_chunks()
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    if len(flat) != len(lists) * WIDTH:
        raise ValueError(f"archived vectors do not have {WIDTH} values each though their schema says so; restore the archive")
    return np.array(flat, dtype=np.float32).reshape(-1, WIDTH)


def _column(table: pa.Table, name: str, dtype: type[np.generic]) -> NDArray[Any]:
    """A column as numpy; null becomes NaN in floats."""
    return np.asarray(table.column(name).to_numpy(), dtype=dtype)
