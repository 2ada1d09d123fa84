"""The daily profiles' way into Feast: all days offline, the newest of each subject online."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.archive import layout, stores
from features.base.active import ROLES
from features.base.settings import Settings
from features.offline.point_in_time import write_profiles_offline
from features.online.store import OnlineWriter, ProfileRow
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH

#: The job computes all days anew each time, so its files replace the last run's.
NAME = "daily"


def publish_profiles(settings: Settings, folder: Path, tell: Callable[[int], None] = lambda _: None) -> int:
    """Write the daily profiles in ``folder`` (of ``profile.daily_profiles``) to Feast; return how many they are.

    ``tell`` is called with how many are written so far, after each file.
    One file at a time, as all days of a subject lie in one. Raises redis.RedisError where the online store does not take them.
    """
    count = 0
    written = set()
    writer = OnlineWriter(settings)
    try:
        for i, file in enumerate(sorted(folder.glob("[!._]*.parquet"))):
            rows = profile_rows(pq.read_table(file))
            if rows:
                name = f"{NAME}-{i:05d}"
                write_profiles_offline(settings, rows, name)
                writer.write_profiles(newest(rows))
                written.add(f"{name}.parquet")
                count += len(rows)
                tell(count)
    finally:
        writer.close()
    store = stores.rows(settings)
    for old in store.names(layout.OWNER_PROFILE_ROWS):
        if old.startswith(NAME) and old.endswith(".parquet") and old not in written:
            store.remove(f"{layout.OWNER_PROFILE_ROWS}/{old}")
    return count


def newest(rows: list[ProfileRow]) -> list[ProfileRow]:
    """Return the newest row of each subject."""
    by_subject: dict[str, ProfileRow] = {}
    for row in rows:
        known = by_subject.get(row.subject)
        if known is None or row.event_time_ms > known.event_time_ms:
            by_subject[row.subject] = row
    return list(by_subject.values())


def profile_rows(table: pa.Table) -> list[ProfileRow]:
    """Return the job's columns as rows."""
    subjects, times = (table.column(name).to_pylist() for name in (ROLES.subject, "event_time_ms"))
    profiles = _lists(table.column("profile"), PROFILE_WIDTH).astype(np.float32)
    usual = _lists(table.column("usual"), USUAL_WIDTH).astype(np.int64)
    return [ProfileRow(*row) for row in zip(subjects, times, profiles, usual, strict=True)]


def _lists(column: pa.ChunkedArray, width: int) -> NDArray[Any]:
    """Return a column of lists of one length as rows [n, width]."""
    return np.asarray(column.combine_chunks().flatten().to_numpy(zero_copy_only=False)).reshape(-1, width)
