"""Where the jobs read from: the archive's Parquet, or Kafka's topics through Spark's connector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from features.archive import layout
from features.archive.days import day_folders
from features.base.active import WORDS
from features.base.settings import Settings
from features.jobs.ddl import ddl_of
from features.transform.arrow import HISTORY_MS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame, SparkSession

_PLACE = ("kafka_partition", "kafka_offset")
#: What the scorer counted of an event.
_COUNTED = ("reference_measure", "measure_unknown")
#: An event, flat, and its place in the log.
EVENTS = ddl_of(layout.SCORES, (*layout.EVENT.names, *_COUNTED, *_PLACE))
#: What was served for it.
SERVED = ddl_of(layout.SCORES, (*layout.EVENT.names, *_COUNTED, *_PLACE, "schema", "features"))


class NothingThere(ValueError):
    """There is nothing to read; the message says where."""


def history_from(start_ms: int | None) -> int | None:
    """Tell from when on events must be read, so that those from ``start_ms`` on have all the history that counts."""
    return None if start_ms is None else max(start_ms - HISTORY_MS, 0)


def archived(
    spark: SparkSession, archive: Path, start_ms: int | None = None, end_ms: int | None = None, schema: str = SERVED
) -> DataFrame:
    """Read archived scores with event times in [start_ms, end_ms) (None: no limit), from the folders of their days only.

    Raises NothingThere.
    """
    from pyspark.sql import functions as f

    folders = day_folders(archive / "scores", start_ms, end_ms)
    if not folders:
        raise NothingThere(f"nothing is archived in {archive} for the time asked for; publish {WORDS.events} first")
    rows = spark.read.schema(schema).parquet(*map(str, folders))
    return rows.where(_within(f.col("event_time_ms"), start_ms, end_ms))


def from_topic(
    spark: SparkSession, settings: Settings, topic: str, start_ms: int | None = None, end_ms: int | None = None
) -> DataFrame:
    """Read committed scores of a topic with event times in [start_ms, end_ms): columns SERVED.

    Records that do not decode are left out. The whole topic is read: its clock is the broker's, not the events'. The session
    needs the connector's jars. Raises features.base.settings.SettingsError for a Kafka setting that has no Java name.
    """
    from pyspark.sql import functions as f

    from features.jobs import kafka_source

    reader = spark.read.format("kafka").option("subscribe", topic).option("startingOffsets", "earliest")
    for name, value in kafka_source.options(settings).items():
        reader = reader.option(name, value)
    records = reader.load().select("value", "partition", "offset").where(f.col("value").isNotNull())
    rows = records.mapInArrow(_decoded, SERVED)
    return rows.where(_within(f.col("event_time_ms"), start_ms, end_ms))


def stage(spark: SparkSession, settings: Settings, topic: str, folder: Path) -> None:
    """Write the events in the scores of ``topic`` into ``folder`` as an archive's days: ``archived`` reads them as often as
    need be.

    The scores tell which events the scorer took, each once; the topic of events has repeats, contradictions and
    events from the future, too.
    """
    from pyspark.sql import functions as f

    day = f.date_format(f.timestamp_millis("event_time_ms"), "yyyy-MM-dd")
    rows = from_topic(spark, settings, topic).drop("schema", "features")
    rows.withColumn("day", day).write.partitionBy("day").parquet(str(folder / "scores"))


def _within(time: Column, start_ms: int | None, end_ms: int | None) -> Column:
    from pyspark.sql import functions as f

    inside = f.lit(True)
    if start_ms is not None:
        inside &= time >= f.lit(start_ms)
    if end_ms is not None:
        inside &= time < f.lit(end_ms)
    return inside


def _decoded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    from features.jobs.kafka_source import decoded

    return decoded(batches)
