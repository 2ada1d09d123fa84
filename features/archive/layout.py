"""Where each view's offline rows lie, and with which columns; shared by the definitions, the writers and the joins.

Every folder holds ``_schema/empty.parquet``, so that a join finds the columns before the first row was written. Spark and
pyarrow leave out names that begin with an underscore, DuckDB reads the file and finds no rows.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.archive import stores
from features.base.files import replacing
from features.base.settings import Settings
from features.base.storage import Store

_TIME = pa.timestamp("us", tz="UTC")

#: Point-in-time rows of the terminals. ``revision`` is the offset of the newest outcome in the tiles: it grows with each row of a
#: terminal, so it names a row (point_in_time joins on it alone) and, as ``created``, breaks ties of the event time.
TERMINAL_RISK = pa.schema(
    [
        ("terminal_id", pa.string()),
        ("event_timestamp", _TIME),
        ("created", _TIME),
        ("revision", pa.int64()),
        ("tiles", pa.list_(pa.int64())),
    ]
)
CUSTOMER_PROFILE = pa.schema(
    [
        ("card_id", pa.string()),
        ("event_timestamp", _TIME),
        ("created", _TIME),
        ("as_of_ms", pa.int64()),
        ("profile", pa.list_(pa.float32())),
        ("usual", pa.list_(pa.int64())),
    ]
)
#: The archive of scores: the transaction flattened, then what was said of it. ``features`` is Feast's ``vector``.
SCORES = pa.schema(
    [
        ("transaction_id", pa.string()),
        ("event_time_ms", pa.int64()),
        ("card_id", pa.string()),
        ("terminal_id", pa.string()),
        ("amount_minor", pa.int64()),
        ("currency", pa.string()),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("country", pa.string()),
        ("merchant_category", pa.string()),
        ("entry_mode", pa.string()),
        ("pin_used", pa.bool_()),
        ("schema", pa.string()),
        ("features", pa.list_(pa.float32())),
        ("score", pa.float64()),
        ("threshold", pa.float64()),
        ("model_version", pa.string()),
        ("decision", pa.string()),
        ("unusual", pa.bool_()),
        ("degraded", pa.bool_()),
        ("shadow_score", pa.float64()),
        ("profile_age_ms", pa.int64()),
        ("kafka_partition", pa.int32()),
        ("kafka_offset", pa.int64()),
        ("event_timestamp", _TIME),
    ]
)
OUTCOMES = pa.schema(
    [
        ("transaction_id", pa.string()),
        ("card_id", pa.string()),
        ("terminal_id", pa.string()),
        ("event_time_ms", pa.int64()),
        ("outcome_time_ms", pa.int64()),
        ("is_fraud", pa.bool_()),
        ("source", pa.string()),
        ("amount_minor", pa.int64()),
        ("score", pa.float64()),
        ("threshold", pa.float64()),
        ("model_version", pa.string()),
        ("unusual", pa.bool_()),
        ("late", pa.bool_()),
        ("kafka_partition", pa.int32()),
        ("kafka_offset", pa.int64()),
    ]
)


TERMINAL_RISK_ROWS = "feast/offline/terminal_risk"
CUSTOMER_PROFILE_ROWS = "feast/offline/customer_profile"
#: What Feast reads, below the root of offline rows.
SCORES_FILES = "archive/scores/*/*.parquet"
TERMINAL_RISK_FILES = f"{TERMINAL_RISK_ROWS}/**/*.parquet"
CUSTOMER_PROFILE_FILES = f"{CUSTOMER_PROFILE_ROWS}/**/*.parquet"


def terminal_risk_folder(settings: Settings) -> Path:
    return settings.rows / TERMINAL_RISK_ROWS


def customer_profile_folder(settings: Settings) -> Path:
    return settings.rows / CUSTOMER_PROFILE_ROWS


def create(settings: Settings) -> None:
    """Make the places of all views and of the archive, with their empty files. Harmless where they are there."""
    store = stores.rows(settings)
    places = {
        TERMINAL_RISK_ROWS: TERMINAL_RISK,
        CUSTOMER_PROFILE_ROWS: CUSTOMER_PROFILE,
        "archive/scores": SCORES,
        "archive/outcomes": OUTCOMES,
    }
    for place, schema in places.items():
        if "empty.parquet" not in store.names(f"{place}/_schema"):
            put(schema.empty_table(), store, f"{place}/_schema/empty.parquet")


def put(table: pa.Table, store: Store, name: str) -> None:
    """Write a Parquet file into a store: a reader sees all of it or nothing, and it lasts when this returns."""
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    store.write(name, buffer.getvalue().to_pybytes())


def write(table: pa.Table, path: Path) -> None:
    """Write a Parquet file so that a reader sees all of it or nothing: under a hidden name first, then renamed.

    It is on the disk when this returns, its name too: whoever commits offsets afterwards can rely on it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft:
        pq.write_table(table, draft.file, compression="zstd")
