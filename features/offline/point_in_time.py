"""The offline store: rows as Parquet, and point-in-time joins over them through Feast.

A join answers what the online store would have said at the time of each event: the newest row that is not younger than the event.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.archive import layout, mirror, stores
from features.archive.compaction import covered
from features.archive.locks import WRITE, reading
from features.base import view_names
from features.base.active import ROLES
from features.base.durations import HOUR_MS
from features.base.settings import Settings
from features.feast_repo.store import open_store
from features.online.store import CounterpartRow, ProfileRow
from features.transform.counterpart_tiles import COLUMNS
from features.transform.profiles import PROFILE_WIDTH, USUAL_WIDTH, Profiles

if TYPE_CHECKING:
    from feast import FeatureStore

#: Rows a Feast join takes at once: bounds its memory.
_CHUNK = 200_000


def write_counterpart_risk(settings: Settings, rows: Sequence[CounterpartRow], name: str) -> None:
    """Append rows as one file; the same ``name`` again replaces it. No rows, no file."""
    if not rows:
        return
    columns = {
        ROLES.counterpart: [row.counterpart for row in rows],
        "event_timestamp": [row.event_time_ms * 1000 for row in rows],
        # Not a time: among rows of one event time the higher revision is the newer one, and Feast asks for a timestamp.
        "created": [row.revision for row in rows],
        "revision": [row.revision for row in rows],
        "tiles": [row.tiles.reshape(-1) for row in rows],
    }
    layout.put(
        pa.table(columns, schema=layout.COUNTERPART_RISK), stores.rows(settings), f"{layout.COUNTERPART_RISK_ROWS}/{name}.parquet"
    )


def append_counterpart_risk(settings: Settings, rows: Sequence[CounterpartRow], partition: int, last: int) -> None:
    """Append the rows of one partition's outcomes up to offset ``last``, those that are not there yet.

    A row is named by its revision, and up to the highest offset in the names of the partition's files all rows are there: so
    each is written once, however often its batch is.
    """
    store = stores.rows(settings)
    with store.lock(f"archive/{WRITE}"):
        last_covered = covered(store.names(layout.COUNTERPART_RISK_ROWS)).get(partition, -1)
        new = [row for row in rows if row.revision > last_covered]
        if new:
            first = min(row.revision for row in new)
            write_counterpart_risk(settings, new, f"outcomes-{partition}-{first:012d}-{last:012d}")


def write_profiles_offline(settings: Settings, rows: Sequence[ProfileRow], name: str) -> None:
    """Append owner profiles as one file; the same ``name`` again replaces it. Name a file by the time that its profiles are
    of.
    """
    if not rows:
        return
    times = [row.event_time_ms * 1000 for row in rows]
    columns = {
        ROLES.subject: [row.subject for row in rows],
        "event_timestamp": times,
        "created": times,
        "as_of_ms": [row.event_time_ms for row in rows],
        "profile": [row.profile for row in rows],
        "usual": [row.usual for row in rows],
    }
    table = pa.table(columns, schema=layout.OWNER_PROFILE)
    layout.put(table, stores.rows(settings), f"{layout.OWNER_PROFILE_ROWS}/{name}.parquet")


def point_in_time(settings: Settings, events: pd.DataFrame) -> Profiles:
    """Read tiles and profile as of each event, in the order of ``events`` (columns subject, counterpart, event_time_ms).

    The owner profile is as of the event. Tiles are as of the moment when everything before the event's label horizon is
    known (``horizon + delay``, never after the event): the features read nothing behind the horizon, so nothing differs but
    labels later than the delay, and one join serves all events of a counterpart's step of hours. No event is lost: those
    that Feast knows nothing of have NaN and no tiles. Memory: about 2 kB an event, for the tiles; call it by parts
    where that is too much.

    Raises features.feast_repo.store.StoreMissing before ``driftloop up``.
    """
    times = events["event_time_ms"].to_numpy(dtype=np.int64)
    delay, step = settings.labels.delay_ms, settings.labels.step_hours * HOUR_MS
    store = open_store(settings)
    subjects, subject_row = _unique(events[ROLES.subject], times, ROLES.subject)
    counterparts, counterpart_row = _unique(events[ROLES.counterpart], (times - delay) // step * step + delay, ROLES.counterpart)
    rows = mirror.rows(settings)
    with reading(rows / "archive"):
        owner, usual, owner_ts = _owners(store, subjects)
        tiles, begin, end, counterpart_ts = _tiles(rows, store, counterparts)
    return Profiles(
        owner[subject_row],
        usual[subject_row],
        owner_ts[subject_row],
        tiles,
        begin[counterpart_row],
        end[counterpart_row],
        counterpart_ts[counterpart_row],
    )


def _unique(ids: pd.Series[str], times: NDArray[np.int64], key: str) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Return the distinct (id, time) pairs, sorted so that chunks hold few ids each, and the row among them of each event."""
    frame = pd.DataFrame({key: ids.to_numpy(), "time_ms": times})
    row: NDArray[np.int64] = frame.groupby([key, "time_ms"], sort=True).ngroup().to_numpy().astype(np.int64)
    return frame.drop_duplicates().sort_values([key, "time_ms"], ignore_index=True), row


def _join(store: FeatureStore, keys: pd.DataFrame, features: list[str]) -> pd.DataFrame:
    """Make Feast's join, in the order of ``keys`` (id, time_ms), which it does not keep by itself."""
    parts = []
    for start in range(0, len(keys), _CHUNK):
        part = keys.iloc[start : start + _CHUNK]
        entities = pd.DataFrame(
            {
                str(keys.columns[0]): part.iloc[:, 0].to_numpy(),
                "event_timestamp": pd.to_datetime(part["time_ms"].to_numpy(), unit="ms", utc=True),
                "row": np.arange(start, start + len(part)),
            }
        )
        with warnings.catch_warnings():
            # ibis 12 calls a method that duckdb 2.0 calls old; nothing that we could change.
            warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
            joined = store.get_historical_features(entity_df=entities, features=features).to_df()
        if len(joined) != len(part):
            raise RuntimeError(f"Feast's join of {', '.join(features)} gave {len(joined)} rows for {len(part)} entities")
        parts.append(joined.sort_values("row", ignore_index=True))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[f.split(":")[1] for f in features])


def _owners(store: FeatureStore, subjects: pd.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    owner = np.full((len(subjects), PROFILE_WIDTH), np.nan, dtype=np.float32)
    usual = np.zeros((len(subjects), USUAL_WIDTH), dtype=np.int64)
    times = np.zeros(len(subjects), dtype=np.int64)
    joined = _join(store, subjects, [f"{view_names.PROFILE}:{name}" for name in ("profile", "usual", "as_of_ms")])
    known = joined["as_of_ms"].notna().to_numpy()
    if known.any():
        owner[known] = np.stack(joined.loc[known, "profile"].to_list())
        usual[known] = np.stack(joined.loc[known, "usual"].to_list())
        times[known] = joined.loc[known, "as_of_ms"].to_numpy(dtype=np.int64)
    return owner, usual, times


def _tiles(
    root: Path, store: FeatureStore, counterparts: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Read tiles [m, 4], begin and end of each counterpart's, and their times.

    Feast finds the revision, DuckDB then fetches its tiles: a join that drags 1 kB of tiles through each of its candidate rows
    takes gigabytes where this one takes megabytes.
    """
    n = len(counterparts)
    begin, end, times = (np.zeros(n, dtype=np.int64) for _ in range(3))
    joined = _join(store, counterparts, [f"{view_names.RISK}:revision"])
    known = joined["revision"].notna().to_numpy()
    if not known.any():
        return np.zeros((0, COLUMNS), dtype=np.int64), begin, end, times
    wanted = pd.DataFrame(
        {
            "row": np.flatnonzero(known),
            ROLES.counterpart: counterparts.loc[known, ROLES.counterpart].to_numpy(),
            "revision": joined.loc[known, "revision"].to_numpy(dtype=np.int64),
        }
    )
    with duckdb.connect() as connection:
        connection.register("wanted", wanted)
        key = f'"{ROLES.counterpart}"'
        # A revision may lie in two files after a crash, with the same tiles.
        rows = connection.sql(
            f"""
            with found as (
                select distinct on ({key}, revision) {key}, revision, epoch_ms(event_timestamp) as time_ms, tiles
                from read_parquet(?) semi join wanted using ({key}, revision)
            )
            select row, time_ms, tiles from wanted join found using ({key}, revision)
            """,
            params=[f"{root}/{layout.COUNTERPART_RISK_FILES}"],
        ).to_arrow_table()
    row, lists = rows["row"].to_numpy(), rows["tiles"].combine_chunks()
    times[row] = rows["time_ms"].to_numpy()
    lengths = lists.value_lengths().to_numpy() // COLUMNS
    ends = np.cumsum(lengths)
    begin[row], end[row] = ends - lengths, ends
    return lists.flatten().to_numpy().reshape(-1, COLUMNS), begin, end, times
