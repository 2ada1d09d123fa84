"""Parity: the card features of served scores, computed again in batch and compared with what the stream served, bit by bit.

The batch runs the same transform (``features.transform.update``) over each card's whole history, in the order in which the log
holds it, through ``applyInPandas``. Cards are grouped into buckets by a hash: a group a card costs Spark a call to Python and
some frames for a handful of rows each. Customer and terminal columns are not compared: they were read, not computed
(``features.skew`` measures those).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from features.card_state import KEEP_MS
from features.jobs.sources import SERVED
from features.tables import Recomputation, in_log_order, number, schema_of, vectors
from features.vector import N_STREAM, NAMES, SCHEMA

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

#: Of each bucket: how many vectors were compared, how many values differ, the sum and the largest of their differences, how
#: many differ by feature, and the earliest of them.
FOUND = (
    "compared long, differing long, total double, largest double, by_feature array<long>, first array<struct<card_id string, "
    "transaction_id string, event_time_ms long, kafka_partition int, kafka_offset long, feature string, served float, "
    "recomputed float>>"
)
_COLUMNS = tuple(part.split()[0] for part in SERVED.split(", "))
#: Differences that are shown.
SHOWN = 10


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
    """``events`` vectors of ``features`` values were compared; ``differences`` of the values differ.

    ``mean`` and ``largest``: absolute, over the values that differ; 0 where none does. ``by_feature``: how many differ of each
    feature that has any. ``first``: the ten earliest, by event time.
    """

    events: int
    features: int
    differences: int
    mean: float
    largest: float
    by_feature: dict[str, int] = field(default_factory=dict)
    first: list[Difference] = field(default_factory=list)

    @property
    def values(self) -> int:
        """How many values were compared."""
        return self.events * self.features


def history_from(start_ms: int | None) -> int | None:
    """From when on events must be read, so that those from ``start_ms`` on have all that their windows hold."""
    return None if start_ms is None else max(start_ms - KEEP_MS, 0)


def compare(
    scores: DataFrame, start_ms: int | None = None, end_ms: int | None = None, partitions: int = 4, buckets: int = 16
) -> Parity:
    """Compare the scores (columns SERVED) with event times in [start_ms, end_ms); None: no limit.

    ``scores`` must hold the cards' history, too (``history_from``). Vectors of another schema are history and nothing more.
    ``buckets``: groups of cards; a group is in memory as a whole, at about 2 kB a row.
    """
    from pyspark.sql import functions as f

    low = start_ms if start_ms is not None else 0
    high = end_ms if end_ms is not None else int(np.iinfo(np.int64).max)

    def of_a_bucket(rows: pd.DataFrame) -> pd.DataFrame:
        return _of_a_bucket(rows, low, high)

    bucketed = scores.select("*", f.pmod(f.xxhash64("card_id"), f.lit(buckets)).alias("bucket"))
    found = bucketed.repartition(partitions, "bucket").groupBy("bucket").applyInPandas(of_a_bucket, FOUND).collect()
    return _together([row.asDict(recursive=True) for row in found])


def _together(found: list[dict[str, Any]]) -> Parity:
    differing = sum(row["differing"] for row in found)
    counts = np.sum([row["by_feature"] for row in found], axis=0) if found else np.zeros(N_STREAM, dtype=np.int64)
    first = [Difference(**one) for row in found for one in row["first"]]
    return Parity(
        events=sum(row["compared"] for row in found),
        features=N_STREAM,
        differences=differing,
        mean=sum(row["total"] for row in found) / differing if differing else 0.0,
        largest=max((row["largest"] for row in found), default=0.0),
        by_feature={NAMES[i]: int(counts[i]) for i in np.argsort(-counts, kind="stable") if counts[i]},
        first=sorted(first, key=lambda d: (d.event_time_ms, d.kafka_partition, d.kafka_offset, NAMES.index(d.feature)))[:SHOWN],
    )


def _of_a_bucket(rows: pd.DataFrame, start_ms: int, end_ms: int) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    table = in_log_order(pa.Table.from_pandas(rows, schema=schema_of(_COLUMNS), preserve_index=False))
    time = number(table, "event_time_ms", np.int64)
    schema = table.column("schema").to_numpy()
    wanted = np.flatnonzero((time >= start_ms) & (time < end_ms) & (schema == SCHEMA))
    again = Recomputation().vectors(table)[wanted, :N_STREAM]
    there = table.take(pa.array(wanted))
    served = vectors(there.column("features"))[:, :N_STREAM]
    event, feature = np.nonzero(served.view(np.uint32) != again.view(np.uint32))
    off = np.abs(served[event, feature].astype(np.float64) - again[event, feature])
    order = np.lexsort((feature, event, time[wanted][event]))[:SHOWN]
    shown = there.select(["card_id", "transaction_id", "event_time_ms", "kafka_partition", "kafka_offset"])
    first = [
        {
            **shown.slice(int(event[i]), 1).to_pylist()[0],
            "feature": NAMES[feature[i]],
            "served": float(served[event[i], feature[i]]),
            "recomputed": float(again[event[i], feature[i]]),
        }
        for i in order
    ]
    return pd.DataFrame(
        {
            "compared": [len(wanted)],
            "differing": [len(event)],
            "total": [float(off.sum())],
            "largest": [float(off.max(initial=0.0))],
            "by_feature": [np.bincount(feature, minlength=N_STREAM).tolist()],
            "first": [first],
        }
    )
