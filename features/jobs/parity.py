"""Parity: the card features of served scores, computed again in batch and compared with what the stream served, bit by bit.

The batch runs the same transform (``features.transform.update``) over each card's whole history, in the order in which the log
holds it, through ``applyInPandas``. Cards are grouped into buckets by a hash: a group a card costs Spark a call to Python and
some frames for a handful of rows each. Customer and terminal columns are not compared: they were read, not computed
(``features.skew`` measures those).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from features.differences import Differences, between, together
from features.settings import Features
from features.tables import TRANSFORMED, Recomputation, in_log_order, number, schema_of, vectors
from features.vector import N_STREAM

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

_COLUMNS = ("transaction_id", *TRANSFORMED, "schema", "features")


def compare(
    scores: DataFrame,
    features: Features,
    start_ms: int | None = None,
    end_ms: int | None = None,
    partitions: int = 4,
    buckets: int = 16,
) -> Differences:
    """Compare the scores (columns ``sources.SERVED``) with event times in [start_ms, end_ms); None: no limit.

    ``features``: ``settings.features``. ``scores`` must hold the cards' history, too (``sources.history_from``). Vectors of
    another schema are history and nothing more. ``buckets``: groups of cards; a group is in memory as a whole, at about 2 kB
    a row.
    """
    from pyspark.sql import functions as f

    low = start_ms if start_ms is not None else 0
    high = end_ms if end_ms is not None else int(np.iinfo(np.int64).max)

    def of_a_bucket(rows: pd.DataFrame) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame({"found": [msgspec.json.encode(_of_a_bucket(rows, features, low, high))]})

    bucketed = scores.select(*_COLUMNS, f.pmod(f.xxhash64("card_id"), f.lit(buckets)).alias("bucket"))
    found = bucketed.repartition(partitions, "bucket").groupBy("bucket").applyInPandas(of_a_bucket, "found binary").collect()
    return together((msgspec.json.decode(bytes(row["found"]), type=Differences) for row in found), N_STREAM)


def _of_a_bucket(rows: pd.DataFrame, features: Features, start_ms: int, end_ms: int) -> Differences:
    import pyarrow as pa

    table = in_log_order(pa.Table.from_pandas(rows, schema=schema_of(_COLUMNS), preserve_index=False))
    time = number(table, "event_time_ms", np.int64)
    schema = table.column("schema").to_numpy()
    wanted = np.flatnonzero((time >= start_ms) & (time < end_ms) & (schema == features.vector_schema))
    again = Recomputation(features).vectors(table)[wanted]
    there = table.take(pa.array(wanted))
    return between(there, vectors(there.column("features")), again, np.arange(N_STREAM))
