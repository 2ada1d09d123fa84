"""The rows to learn from: archived scores joined with the newest outcome of each transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from features.archive import layout
from features.base.active import ROLES
from features.jobs.ddl import ddl_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: What the jobs read of the archive, told to Spark so that it need not open every file to find out.
SCORES = ddl_of(layout.SCORES, (*layout.EVENT.names, "reference_measure", "measure_unknown", "schema", "features"))
OUTCOMES = ddl_of(layout.OUTCOMES, ("event_id", "outcome_time_ms", "positive", "late", "revision"))


def clean_scores(scores: DataFrame, schema: str, end_ms: int, exclude: Sequence[tuple[int, int]] = ()) -> DataFrame:
    """Keep scores (columns SCORES) up to ``end_ms`` (inclusive), not faulty [start, end) nor vectors of another ``schema``."""
    from pyspark.sql import functions as f

    return clean_transactions(scores, end_ms, exclude).where(f.col("schema") == schema)


def clean_transactions(scores: DataFrame, end_ms: int, exclude: Sequence[tuple[int, int]] = ()) -> DataFrame:
    """Keep what ``clean_scores`` does, whatever the schema of the vectors: for what is made of the transactions alone.

    Only events of the first kind are kept: no others can be positive, and no others make a habit.
    """
    from pyspark.sql import functions as f

    time = f.col("event_time_ms")
    rows = scores.where(time <= end_ms)
    if ROLES.kind is not None:
        rows = rows.where(f.coalesce(ROLES.kind, f.lit(ROLES.kinds[0])) == ROLES.kinds[0])
    for start, stop in exclude:
        rows = rows.where((time < start) | (time >= stop))
    return rows


def newest_outcomes(outcomes: DataFrame, known_ms: int) -> DataFrame:
    """Return one row per transaction: its newest outcome among those known at ``known_ms``.

    The highest revision counts; among equal ones a late one (which corrects), then the newer one. Rows that were archived before
    outcomes had a revision have none, which is 0. Columns: event_id, positive.
    """
    from pyspark.sql import functions as f

    newest = f.max_by("positive", f.struct(f.coalesce("revision", f.lit(0)), "late", "outcome_time_ms"))
    return outcomes.where(f.col("outcome_time_ms") <= known_ms).groupBy("event_id").agg(newest.alias("positive"))


def training_rows(scores: DataFrame, outcomes: DataFrame, start_ms: int, settled_ms: int, known_ms: int) -> DataFrame:
    """Label the scores from ``start_ms`` on, by what was known at ``known_ms``.

    ``known`` says whether an outcome is there. Up to ``settled_ms`` every label has had its time, so rows without an outcome
    are dropped there; after it they are kept, with positive false: training may presume them negative, evaluation may not.
    """
    from pyspark.sql import functions as f

    known = newest_outcomes(outcomes, known_ms).withColumn("known", f.lit(True))
    joined = (
        scores.where(f.col("event_time_ms") >= start_ms)
        .join(known, f.col(ROLES.id) == f.col("event_id"), "left")
        .drop("event_id")
    )
    kept = joined.where(f.col("known").isNotNull() | (f.col("event_time_ms") > settled_ms))
    return kept.withColumn("known", f.coalesce("known", f.lit(False))).withColumn(
        "positive", f.coalesce("positive", f.lit(False))
    )
