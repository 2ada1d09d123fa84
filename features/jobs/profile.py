"""Customer profiles by day: what was known of a card at the end of each day on which it was used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.settings import DAY_MS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Only where the card itself was, its owner was (mostly).
CARD_PRESENT = ("chip", "contactless", "swipe")


def daily_profiles(scores: DataFrame, end_ms: int) -> DataFrame:
    """Running profile per card and day, over all of ``scores`` (see ``prepare.clean_scores``), for days that ended by ``end_ms``.

    Columns: card_id; event_time_ms, the end of the day; home_lat and home_lon, mean place of the card-present transactions
    so far in degrees, null while there is none; mean_amount so far in currency units; count of transactions so far.
    A day's row leaves out that day's future only because its time is the day's end: join it strictly as of.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    day_end = (f.floor(f.col("event_time_ms") / DAY_MS) + 1) * DAY_MS
    placed = f.col("latitude").isNotNull() & f.col("longitude").isNotNull() & f.col("entry_mode").isin(*CARD_PRESENT)
    whole_days = scores.withColumn("day_end", day_end.cast("long")).where(f.col("day_end") <= end_ms)
    daily = whole_days.groupBy("card_id", "day_end").agg(
        f.sum(f.when(placed, f.col("latitude"))).alias("lat"),
        f.sum(f.when(placed, f.col("longitude"))).alias("lon"),
        f.count(f.when(placed, f.lit(1))).alias("places"),
        f.sum("amount_minor").alias("amount"),
        f.count("*").alias("n"),
    )
    so_far = Window.partitionBy("card_id").orderBy("day_end").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    running = {name: f.sum(name).over(so_far) for name in ("lat", "lon", "places", "amount", "n")}
    return daily.select("card_id", "day_end", *(column.alias(name) for name, column in running.items())).select(
        "card_id",
        f.col("day_end").alias("event_time_ms"),
        f.try_divide("lat", "places").alias("home_lat"),
        f.try_divide("lon", "places").alias("home_lon"),
        (f.col("amount") / f.col("n") / 100.0).alias("mean_amount"),
        f.col("n").alias("count"),
    )
