"""Small files of transactions for tests: good columns, any of which is replaced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from streams.replay.mapping import Field, parse_map
from streams.replay.pieces import Piece
from streams.replay.rows import FileColumns

#: 2018-04-01 08:07:11 UTC.
AT_MS = 1_522_570_031_000
OPTIONAL: tuple[Field, ...] = ("currency", "latitude", "longitude", "country", "merchant_category", "entry_mode", "pin_used")


def good(rows: int = 1) -> dict[str, pa.Array]:
    """Columns by field that are taken as they are."""
    return {
        "transaction_id": pa.array([f"t{i}" for i in range(rows)]),
        "event_time": pa.array([AT_MS + i for i in range(rows)], pa.timestamp("ms")),
        "card_id": pa.array(["c1"] * rows),
        "terminal_id": pa.array(["m1"] * rows),
        "amount": pa.array([12.5] * rows),
        "is_fraud": pa.array([0] * rows),
        "currency": pa.array(["EUR"] * rows),
        "latitude": pa.array([50.0] * rows),
        "longitude": pa.array([4.0] * rows),
        "country": pa.array(["BE"] * rows),
        "merchant_category": pa.array(["5411"] * rows),
        "entry_mode": pa.array(["chip"] * rows),
        "pin_used": pa.array([True] * rows),
    }


SPECS = [f"{field}={field}" for field in good()]
#: Where the events that are made of a field have it.
_ATTRIBUTES = {
    "transaction_id": "event_id",
    "event_time": "event_time_ms",
    "card_id": "subject",
    "terminal_id": "counterpart",
    "amount": "measure",
    "merchant_category": "category",
    "entry_mode": "mode",
    "pin_used": "flag",
}


def made_of(field: Field, array: pa.Array) -> list[Any]:
    """What the replay makes of a column for ``field``; the other columns are good. Raises ReplayError."""
    table = pa.table({**good(len(array)), field: array})
    columns = FileColumns(parse_map(SPECS))
    columns.open(table.column_names, "f")
    piece = Piece(table, np.arange(1, len(array) + 1))
    events = columns.events(piece, columns.times(piece))
    values = columns.patterns(piece) if field == "is_fraud" else events.column(_ATTRIBUTES.get(field, field))
    return list(values.tolist())
