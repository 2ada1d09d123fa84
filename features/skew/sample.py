"""The sample of one day: some of its subjects, their served vectors of the day, and all of their history that windows reach."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from features.archive.days import day_folders, day_name
from features.base.active import ROLES
from features.base.durations import DAY_MS
from features.transform.arrow import HISTORY_MS, TRANSFORMED, in_log_order, schema_of

#: What DuckDB may take: the sample itself is small, the scan goes through all rows.
_MEMORY = "512MB"


@dataclass(frozen=True)
class Sample:
    """``subjects`` of a day. ``history``: their transactions in log order, the day's included; ``served``: what was archived of
    the day, in log order."""

    subjects: int
    history: pa.Table
    served: pa.Table


def read(scores: Path, day: int, subjects: int) -> Sample:
    """Read at most ``subjects`` of the subjects that were used on ``day``, chosen by a hash of subject and day: others are chosen
    each day."""
    low, end = max(day * DAY_MS - HISTORY_MS, 0), (day + 1) * DAY_MS
    files = [str(file) for folder in day_folders(scores, low, end) for file in sorted(folder.glob("[!._]*.parquet"))]
    today = [str(file) for file in sorted((scores / day_name(day)).glob("[!._]*.parquet"))]
    columns = ", ".join((ROLES.id, *TRANSFORMED))
    subject = f'"{ROLES.subject}"'
    with duckdb.connect(config={"threads": 1, "memory_limit": _MEMORY}) as connection:
        connection.execute(
            f"create temp table chosen as select {subject} from (select distinct {subject} from read_parquet(?)) "
            f"order by md5_number_lower({subject} || ?) limit ?",
            [today, str(day), subjects],
        )
        within = f"semi join chosen using ({subject}) where event_time_ms >= ? and event_time_ms < ?"
        # Files of an older version may lack a column that has come since.
        connection.register("nothing", schema_of((*TRANSFORMED, ROLES.id, "schema", "features", "degraded")).empty_table())
        rows = "(select * from read_parquet(?, union_by_name = true) union all by name select * from nothing)"
        history = connection.sql(f"select {columns} from {rows} {within}", params=[files, low, end]).to_arrow_table()
        served = connection.sql(
            f"select {columns}, schema, features, degraded from {rows} {within}", params=[today, day * DAY_MS, end]
        ).to_arrow_table()
        chosen = connection.execute("select count(*) from chosen").fetchall()[0][0]
    return Sample(int(chosen), in_log_order(history), in_log_order(served))
