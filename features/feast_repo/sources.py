"""Where rows come from: Parquet for joins, read by DuckDB or Spark, and the Kafka topics that the rows are made of."""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import TYPE_CHECKING

from feast import FileSource, KafkaSource
from feast.data_format import JsonFormat, ParquetFormat

from features.archive import mirror
from features.base.broker_names import named
from features.base.events import EVENT_OF
from features.base.settings import Settings
from features.feast_repo.ddl import schema
from features.feast_repo.entities import OWNER

if TYPE_CHECKING:
    from feast.data_source import DataSource


def batch(
    settings: Settings, name: str, files: str, description: str, created: str = "", renamed: dict[str, str] | None = None
) -> DataSource:
    """Build a source of Parquet files below the root of offline rows, as the offline store of ``settings`` reads them.

    ``files``: a glob, in which a last folder ``**`` stands for any depth in DuckDB and for at most one folder in Spark.
    """
    tags = {"format": "parquet", "clock": "event time", "unit": "rows"}
    if settings.feast.offline == "spark":
        from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The spark data source API is an experimental", RuntimeWarning)
            return SparkSource(
                name=name,
                # Hadoop knows no **.
                path=f"{_root(settings)}/{files}".replace("/**/*.parquet", "/{*.parquet,*/*.parquet}"),
                file_format="parquet",
                timestamp_field="event_timestamp",
                created_timestamp_column=created,
                field_mapping=renamed or {},
                description=description,
                owner=OWNER,
                tags=tags,
            )
    return FileSource(
        name=name,
        path=f"{_root(settings)}/{files}",
        file_format=ParquetFormat(),
        timestamp_field="event_timestamp",
        created_timestamp_column=created,
        field_mapping=renamed or {},
        s3_endpoint_override=settings.feast.s3_endpoint or None,
        description=description,
        owner=OWNER,
        tags=tags,
    )


def stream(settings: Settings, topic: str, rows: DataSource, writer: str, description: str) -> KafkaSource:
    """Build a source of a topic and the rows that ``writer`` makes of it. Feast itself consumes nothing: our writers do."""
    return KafkaSource(
        name=f"{topic}_topic",
        kafka_bootstrap_servers=settings.bootstrap,
        topic=named(topic),
        timestamp_field="event_timestamp",
        message_format=JsonFormat(schema_json=schema(EVENT_OF[named(topic)])),
        batch_source=rows,
        watermark_delay_threshold=timedelta(days=settings.labels.delay_days),
        description=description,
        owner=OWNER,
        tags={"format": "JSON", "isolation": "read_committed", "writer": writer, "clock": "event time"},
    )


def _root(settings: Settings) -> str:
    """Return the root of offline rows; Spark reaches S3 by Hadoop's s3a."""
    root = (settings.feast.root if settings.feast.remote else str(mirror.folder(settings))).rstrip("/")
    return root.replace("s3://", "s3a://", 1) if settings.feast.offline == "spark" else root
