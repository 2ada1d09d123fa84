"""Feast's Spark offline store on the rows of a laptop: the same join as DuckDB's."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.archive import layout
from features.base.durations import DAY_MS
from features.base.events import EVENT_OF
from features.base.settings import FILE_NAME, Settings, load
from features.feast_repo.ddl import schema
from features.feast_repo.store import apply

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T0 = 17_600 * DAY_MS
FEATURES = [
    "card_activity:vector",
    "card_activity:transaction_id",
    "terminal_risk:tiles",
    "terminal_risk:revision",
    "customer_profile:profile",
    "customer_profile:as_of_ms",
]


def _write_rows(settings: Settings, draw: np.random.Generator) -> None:
    n = 60
    times = T0 + draw.integers(0, 20, n) * DAY_MS // 2
    counterparts = {
        "terminal_id": [f"t{i}" for i in draw.integers(0, 6, n)],
        "event_timestamp": times * 1000,
        "created": np.arange(n),
        "revision": np.arange(n),
        "tiles": [draw.integers(0, 9, 4 * draw.integers(0, 4)) for _ in range(n)],
    }
    table = pa.table(counterparts, schema=layout.COUNTERPART_RISK)
    layout.write(table.slice(0, 40), layout.counterpart_risk_folder(settings) / "a.parquet")
    layout.write(table.slice(40), layout.counterpart_risk_folder(settings) / "b.parquet")
    times = T0 + np.arange(20) // 5 * DAY_MS * 3
    profiles = {
        "card_id": [f"c{i % 5}" for i in range(20)],
        "event_timestamp": times * 1000,
        "created": times * 1000,
        "as_of_ms": times,
        "profile": [draw.random(4, dtype=np.float32) for _ in range(20)],
        "usual": [draw.integers(0, 2**62, 2) for _ in range(20)],
    }
    scores = {
        "transaction_id": [f"x{i}" for i in range(30)],
        "card_id": [f"c{i % 4}" for i in range(30)],
        "event_timestamp": (T0 + np.arange(30) * DAY_MS // 4) * 1000,
        "features": [draw.random(3, dtype=np.float32) for _ in range(30)],
    }
    columns = [scores.get(field.name, pa.nulls(30, field.type)) for field in layout.SCORES]
    layout.write(pa.table(columns, schema=layout.SCORES), settings.archive / "scores" / "day=2018-03-10" / "s.parquet")
    layout.write(pa.table(profiles, schema=layout.OWNER_PROFILE), layout.owner_profile_folder(settings) / "p.parquet")


def _join(folder: Path, root: Path, offline: str, events: pd.DataFrame) -> pd.DataFrame:
    folder.mkdir()
    (folder / FILE_NAME).write_text(f'[feast]\nroot = "{root}"\noffline = "{offline}"\n')
    store = apply(load(folder))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The spark (offline store|data source API) is an experimental", RuntimeWarning)
        warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
        joined: pd.DataFrame = store.get_historical_features(entity_df=events, features=FEATURES).to_df()
    return joined.sort_values("row", ignore_index=True)


def test_spark_joins_as_duckdb_does(spark: SparkSession, tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    rows = load(tmp_path)
    rows.feast.root = str(tmp_path / "rows")
    layout.create(rows)
    _write_rows(rows, draw)
    n = 200
    events = pd.DataFrame(
        {
            "card_id": [f"c{i}" for i in draw.integers(0, 6, n)],
            "terminal_id": [f"t{i}" for i in draw.integers(0, 7, n)],
            "event_timestamp": pd.to_datetime(T0 - DAY_MS + draw.integers(0, 24, n) * DAY_MS // 2, unit="ms", utc=True),
            "row": np.arange(n),
        }
    )

    by_spark = _join(tmp_path / "spark", tmp_path / "rows", "spark", events)
    by_duckdb = _join(tmp_path / "duckdb", tmp_path / "rows", "duckdb", events)

    assert len(by_spark) == len(by_duckdb) == n
    assert by_spark["revision"].notna().sum() > n / 2
    for name in ("revision", "as_of_ms"):
        assert by_spark[name].fillna(-1).astype(int).tolist() == by_duckdb[name].fillna(-1).astype(int).tolist()
    assert by_spark["transaction_id"].fillna("").tolist() == by_duckdb["transaction_id"].fillna("").tolist()
    assert by_spark["transaction_id"].notna().any()
    for name in ("vector", "tiles", "profile"):
        assert [_values(cell) for cell in by_spark[name]] == [_values(cell) for cell in by_duckdb[name]]


def _values(cell: object) -> list[float] | None:
    return None if cell is None or cell is pd.NaT or (isinstance(cell, float) and np.isnan(cell)) else list(np.asarray(cell))


@pytest.mark.parametrize("topic", ["scores", "outcomes"])
def test_spark_understands_the_schema_of_the_streams(spark: SparkSession, topic: str) -> None:
    from pyspark.sql.types import StructType

    assert "event_time_ms" in str(StructType.fromDDL(schema(EVENT_OF[topic])))
