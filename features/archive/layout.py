"""Where each view's offline rows lie, and with which columns; shared by the definitions, the writers and the joins.

Every folder holds ``_schema/empty.parquet``, so that a join finds the columns before the first row was written. Spark and
pyarrow leave out names that begin with an underscore, DuckDB reads the file and finds no rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from features.archive import stores
from features.base import view_names
from features.base.active import DOMAIN, ROLES
from features.base.events import Outcome
from features.base.files import replacing
from features.base.settings import Settings
from features.base.storage import Store

_TIME = pa.timestamp("us", tz="UTC")

#: Point-in-time rows of the counterparts. ``revision`` is the offset of the newest outcome in the tiles: it grows with each row
#: of a counterpart, so it names a row (point_in_time joins on it alone) and, as ``created``, breaks ties of the event time.
COUNTERPART_RISK = pa.schema(
    [
        (ROLES.counterpart, pa.string()),
        ("event_timestamp", _TIME),
        ("created", _TIME),
        ("revision", pa.int64()),
        ("tiles", pa.list_(pa.int64())),
    ]
)
OWNER_PROFILE = pa.schema(
    [
        (ROLES.subject, pa.string()),
        ("event_timestamp", _TIME),
        ("created", _TIME),
        ("as_of_ms", pa.int64()),
        ("profile", pa.list_(pa.float32())),
        ("usual", pa.list_(pa.int64())),
    ]
)
_PLACE = [("kafka_partition", pa.int32()), ("kafka_offset", pa.int64())]


def _columns(struct: type[msgspec.Struct]) -> list[tuple[str, pa.DataType]]:
    """Return the fields of a struct by their names on the wire, as columns."""
    return [(field.encode_name, _column(field.type)) for field in msgspec.structs.fields(struct)]


def _column(kind: Any) -> pa.DataType:
    """Return ``int``, ``Annotated[int, ...]``, ``Literal[...]``, each perhaps ``| None``, as Arrow has it.

    Raises TypeError for others.
    """
    for part in (get_origin(kind) and get_args(kind)[0], kind):
        if part in _ARROW:
            return _ARROW[part]
    if get_origin(kind) is Literal:
        return pa.string()
    parts = [part for part in get_args(kind) if part is not type(None)]
    if len(parts) == 1 or (parts and get_origin(kind) is Annotated):
        return _column(parts[0])
    raise TypeError(f"{kind} has no column in the archive; use text, a number or yes and no")


_ARROW = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
#: The event of the domain, flat.
EVENT = pa.schema(_columns(DOMAIN.event))
#: The archive of scores: the event flattened, then what was said of it. ``features`` is Feast's ``vector``.
SCORES = pa.schema(
    [
        *EVENT,
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
        ("reference_measure", pa.int64()),
        ("measure_unknown", pa.bool_()),
        *_PLACE,
        ("event_timestamp", _TIME),
    ]
)
OUTCOMES = pa.schema([*_columns(Outcome), *_PLACE])


COUNTERPART_RISK_ROWS = f"feast/offline/{view_names.RISK}"
OWNER_PROFILE_ROWS = f"feast/offline/{view_names.PROFILE}"
#: What Feast reads, below the root of offline rows.
SCORES_FILES = "archive/scores/*/*.parquet"
COUNTERPART_RISK_FILES = f"{COUNTERPART_RISK_ROWS}/**/*.parquet"
OWNER_PROFILE_FILES = f"{OWNER_PROFILE_ROWS}/**/*.parquet"


def counterpart_risk_folder(settings: Settings) -> Path:
    return settings.rows / COUNTERPART_RISK_ROWS


def owner_profile_folder(settings: Settings) -> Path:
    return settings.rows / OWNER_PROFILE_ROWS


def create(settings: Settings) -> None:
    """Make the places of all views and of the archive, with their empty files. Harmless where they are there.

    An empty file of before is replaced: it is where a join finds a column that no file of then has.
    """
    store = stores.rows(settings)
    places = {
        COUNTERPART_RISK_ROWS: COUNTERPART_RISK,
        OWNER_PROFILE_ROWS: OWNER_PROFILE,
        "archive/scores": SCORES,
        "archive/outcomes": OUTCOMES,
    }
    for place, schema in places.items():
        name = f"{place}/_schema/empty.parquet"
        if "empty.parquet" not in store.names(f"{place}/_schema") or pq.read_schema(pa.BufferReader(store.read(name))) != schema:
            put(schema.empty_table(), store, name)


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
