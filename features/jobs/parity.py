"""Parity: the card features of archived scores, computed again in batch and compared with what the stream served, bit by bit.

The batch runs the same transform (``features.transform.update``) over each card's whole archived history, in the order in which
the log holds it, through ``applyInPandas``. Customer and terminal columns are not compared: they were read, not computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from features.card_state import CardState
from features.columns import from_table
from features.transform import update
from features.vector import N_STREAM, NAMES, SCHEMA

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

#: What is read of the archive.
ARCHIVED = (
    "transaction_id string, event_time_ms long, card_id string, terminal_id string, amount_minor long, latitude double, "
    "longitude double, merchant_category string, entry_mode string, pin_used boolean, schema string, features array<float>, "
    "kafka_partition int, kafka_offset long"
)
#: One row a card (``feature`` null: how many events were compared), and one for each value that differs.
FOUND = (
    "card_id string, compared long, transaction_id string, event_time_ms long, kafka_partition int, kafka_offset long, "
    "feature string, served float, recomputed float"
)


@dataclass(frozen=True)
class Difference:
    """One value that differs, and where."""

    card_id: str
    transaction_id: str
    event_time_ms: int
    kafka_partition: int
    kafka_offset: int
    feature: str
    served: float
    recomputed: float


@dataclass(frozen=True)
class Parity:
    """``events`` vectors of ``features`` values were compared; ``differences`` of the values differ, by ``largest`` at most.

    ``first``: the ten earliest of them.
    """

    events: int
    features: int
    differences: int
    largest: float
    first: list[Difference]


def compare(spark: SparkSession, archive: Path, start_ms: int | None = None, end_ms: int | None = None) -> Parity:
    """Compare the archived scores with event times in [start_ms, end_ms); None: no limit. History before counts, of course."""
    from pyspark.sql import functions as f

    scores = spark.read.schema(ARCHIVED).option("recursiveFileLookup", "true").parquet(str(archive / "scores"))
    found = differences(scores.where(f.col("schema") == SCHEMA), start_ms, end_ms).cache()
    events = found.agg(f.coalesce(f.sum("compared"), f.lit(0))).first()
    differing = found.where(f.col("feature").isNotNull())
    largest = differing.agg(f.max(f.abs(f.col("served") - f.col("recomputed")))).first()
    rows = differing.orderBy("event_time_ms", "kafka_partition", "kafka_offset").drop("compared").limit(10).collect()
    assert events is not None
    assert largest is not None
    result = Parity(
        events=int(events[0]),
        features=N_STREAM,
        differences=differing.count(),
        largest=float(largest[0] or 0.0),
        first=[Difference(**row.asDict()) for row in rows],
    )
    found.unpersist()
    return result


def differences(scores: DataFrame, start_ms: int | None, end_ms: int | None) -> DataFrame:
    """Columns FOUND, for scores with columns ARCHIVED."""
    low = start_ms if start_ms is not None else 0
    high = end_ms if end_ms is not None else np.iinfo(np.int64).max

    def of_a_card(rows: pd.DataFrame) -> pd.DataFrame:
        return _of_a_card(rows, low, int(high))

    return scores.groupBy("card_id").applyInPandas(of_a_card, FOUND)


def _of_a_card(rows: pd.DataFrame, start_ms: int, end_ms: int) -> pd.DataFrame:
    import pandas as pd

    rows = rows.sort_values(["kafka_partition", "kafka_offset"], kind="stable")
    again = update(CardState(), from_table(pa.Table.from_pandas(rows, preserve_index=False)))[:, :N_STREAM]
    served = np.stack(rows["features"].tolist()).astype(np.float32)[:, :N_STREAM]
    times = rows["event_time_ms"].to_numpy()
    wanted = (times >= start_ms) & (times < end_ms)
    event, feature = np.nonzero((served.view(np.uint32) != again.view(np.uint32)) & wanted[:, None])
    there = rows.iloc[event]
    # Plain lists: what pandas keeps in Arrow's arrays comes out of a concatenation in chunks, which Spark does not take.
    return pd.DataFrame(
        {
            "card_id": [rows["card_id"].iloc[0]] * (1 + len(event)),
            "compared": [int(wanted.sum())] + [0] * len(event),
            "transaction_id": [None, *there["transaction_id"].tolist()],
            "event_time_ms": pd.array([None, *there["event_time_ms"].tolist()], dtype="Int64"),
            "kafka_partition": pd.array([None, *there["kafka_partition"].tolist()], dtype="Int32"),
            "kafka_offset": pd.array([None, *there["kafka_offset"].tolist()], dtype="Int64"),
            "feature": [None, *(NAMES[i] for i in feature)],
            "served": [np.nan, *served[event, feature].tolist()],
            "recomputed": [np.nan, *again[event, feature].tolist()],
        }
    )
