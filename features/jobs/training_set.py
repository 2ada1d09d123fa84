"""A training set: vectors, profiles as of each event, and outcomes, in one folder of Parquet by event day.

Spark labels the rows; Feast's point-in-time join then fills the owner and counterpart columns, in parts, so that memory
does not grow with the set.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.archive import layout, mirror
from features.archive.days import day_name
from features.base import names
from features.base.active import ROLES
from features.base.durations import DAY_MS
from features.base.files import move_folder, write_json
from features.base.settings import Settings
from features.catalogue.vector import NAMES, vector_schema
from features.jobs.labelled_rows import OUTCOMES, SCORES, clean_scores, training_rows
from features.offline.as_of import joined
from features.transform.arrow import lists, number
from features.transform.columns import counted_measures

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Rows of a file, and of a join: a vector, its tiles and its keys take some 2 kB.
ROWS_A_FILE = 200_000
MANIFEST = "_training_set.json"
#: The columns of the set; ``reference_measure``: what the event counted, 0 where that is not known;
#: ``features`` in the order of ``features.catalogue.vector.NAMES``.
COLUMNS = (
    *(ROLES.id, ROLES.subject, ROLES.counterpart, ROLES.time, ROLES.measure),
    "reference_measure",
    *("schema", "features", "positive", "known"),
)
names.check(f"{__name__}.COLUMNS", COLUMNS, (*layout.SCORES.names, "positive", "known"), "column of the labelled rows")


class TrainingSet(msgspec.Struct):
    """What ``_training_set.json`` says. Rows of [start_ms, end_ms]; after ``settled_ms`` a label may still be missing."""

    schema: str
    features: tuple[str, ...]
    start_ms: int
    end_ms: int
    settled_ms: int
    rows: int = 0
    known: int = 0
    positives: int = 0


def training_set(
    spark: SparkSession,
    settings: Settings,
    scores: Sequence[Path],
    scratch: Path,
    out: Path,
    start_ms: int,
    end_ms: int,
    exclude: Sequence[tuple[int, int]] = (),
    tell: Callable[[int, int, int], None] = lambda *_: None,
) -> TrainingSet:
    """Make the set of [start_ms, end_ms] in ``out`` (replaced as a whole) and return what is in it.

    Outcomes are those known at ``end_ms``: a correction that came later changes nothing.
    ``scores``: folders of archived or backfilled vectors. ``exclude``: faulty [start, end) in ms. ``tell(parts, of_parts, rows)``
    is called after each join. Raises features.feast_repo.store.StoreMissing before ``driftloop up``.
    """
    from pyspark.sql import functions as f

    settled_ms = end_ms - settings.labels.delay_ms
    manifest = TrainingSet(vector_schema(settings.features), NAMES, start_ms, end_ms, settled_ms)
    clean = clean_scores(spark.read.schema(SCORES).parquet(*map(str, scores)), manifest.schema, end_ms, exclude)
    outcomes = spark.read.schema(OUTCOMES).parquet(str(mirror.archive(settings) / "outcomes"))
    day = f.date_format(f.timestamp_millis("event_time_ms"), "yyyy-MM-dd")
    labelled = training_rows(clean, outcomes, start_ms, settled_ms, end_ms).withColumn("day", day)
    by_day = labelled.repartition("day").write.option("maxRecordsPerFile", ROWS_A_FILE).partitionBy("day")
    by_day.parquet(str(scratch / "labelled"))

    # Beside its place first: a set is there as a whole, or the one before is.
    fresh = out.with_name(f".{out.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    parts = _parts(sorted((scratch / "labelled").glob("day=*/[!._]*.parquet")))
    for i, files in enumerate(parts):
        table = pa.concat_tables(pq.ParquetFile(file).read() for file in files).sort_by("event_time_ms")
        table = table.set_column(table.column_names.index("features"), "features", lists(joined(settings, table)))
        at = table.column_names.index("reference_measure")
        table = table.set_column(at, "reference_measure", pa.array(counted_measures(table))).select(COLUMNS)
        day = number(table, "event_time_ms", np.int64) // DAY_MS
        for epoch_day in np.unique(day).tolist():
            layout.write(table.filter(pa.array(day == epoch_day)), fresh / day_name(epoch_day) / f"part-{i:05d}.parquet")
        manifest.rows += table.num_rows
        manifest.known += int(number(table, "known", np.bool_).sum())
        manifest.positives += int(number(table, "positive", np.bool_).sum())
        tell(i + 1, len(parts), manifest.rows)
    fresh.mkdir(parents=True, exist_ok=True)
    write_json(fresh / MANIFEST, manifest)
    shutil.rmtree(out, ignore_errors=True)
    move_folder(fresh, out)
    return manifest


def _parts(files: Sequence[Path]) -> list[list[Path]]:
    """Group the files that are joined together, of ROWS_A_FILE rows or one file: a join costs seconds, however few its rows."""
    parts: list[list[Path]] = []
    rows = ROWS_A_FILE
    for file in files:
        more = pq.read_metadata(file).num_rows
        if rows + more > ROWS_A_FILE:
            parts.append([])
            rows = 0
        parts[-1].append(file)
        rows += more
    return parts


def read(folder: Path) -> pa.Table:
    """Read all rows of a set, columns COLUMNS."""
    return pq.read_table(folder, columns=list(COLUMNS), partitioning=None)
