"""The rows to learn from: archived scores joined with the newest outcome of each transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from features.archive import layout
from features.base import names

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: What the jobs read of the archive, told to Spark so that it need not open every file to find out.
SCORES = (
    "transaction_id string, card_id string, terminal_id string, event_time_ms long, amount_minor long, latitude double, "
    "longitude double, entry_mode string, pin_used boolean, merchant_category string, schema string, features array<float>"
)
OUTCOMES = "transaction_id string, outcome_time_ms long, is_fraud boolean, late boolean"
names.check_ddl(f"{__name__}.SCORES", SCORES, layout.SCORES.names, "column of the archive of scores")
names.check_ddl(f"{__name__}.OUTCOMES", OUTCOMES, layout.OUTCOMES.names, "column of the archive of outcomes")


def clean_scores(scores: DataFrame, schema: str, end_ms: int, exclude: Sequence[tuple[int, int]] = ()) -> DataFrame:
    """Scores (columns SCORES) up to ``end_ms`` (inclusive), less the faulty [start, end) and vectors of another ``schema``."""
    from pyspark.sql import functions as f

    return clean_transactions(scores, end_ms, exclude).where(f.col("schema") == schema)


def clean_transactions(scores: DataFrame, end_ms: int, exclude: Sequence[tuple[int, int]] = ()) -> DataFrame:
    """The same, whatever the schema of the vectors: for what is made of the transactions alone."""
    from pyspark.sql import functions as f

    time = f.col("event_time_ms")
    rows = scores.where(time <= end_ms)
    for start, stop in exclude:
        rows = rows.where((time < start) | (time >= stop))
    return rows


def newest_outcomes(outcomes: DataFrame) -> DataFrame:
    """One row per transaction: its newest outcome. At the same time a late one (which corrects) wins over the first.

    Columns: transaction_id, is_fraud.
    """
    from pyspark.sql import functions as f

    newest = f.max_by("is_fraud", f.struct("outcome_time_ms", "late"))
    return outcomes.groupBy("transaction_id").agg(newest.alias("is_fraud"))


def training_rows(scores: DataFrame, outcomes: DataFrame, start_ms: int, settled_ms: int) -> DataFrame:
    """Label the scores from ``start_ms`` on.

    ``known`` says whether an outcome is there. Up to ``settled_ms`` every label has had its time, so rows without an outcome
    are dropped there; after it they are kept, with is_fraud false: training may presume them genuine, evaluation may not.
    """
    from pyspark.sql import functions as f

    known = newest_outcomes(outcomes).withColumn("known", f.lit(True))
    joined = scores.where(f.col("event_time_ms") >= start_ms).join(known, "transaction_id", "left")
    kept = joined.where(f.col("known").isNotNull() | (f.col("event_time_ms") > settled_ms))
    return kept.withColumn("known", f.coalesce("known", f.lit(False))).withColumn(
        "is_fraud", f.coalesce("is_fraud", f.lit(False))
    )
