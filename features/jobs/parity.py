"""Parity: the features of served scores, computed again in batch and compared with what the stream served, bit by bit.

The batch runs the same transform (``features.transform.update.update``) over each subject's whole history, in the order in which
the log holds it, through ``applyInPandas``. Subjects are grouped into buckets by a hash: a group a subject costs Spark a call to
Python and some frames for a handful of rows each.

Owner and counterpart columns were read by the stream, not computed from the log, so they are compared only where a ``store``
is named: with what its offline rows give as of each event (``features.offline.as_of``). The two must be equal where everything
that an event may see was in the online store by the time it was scored. What was there at that moment is written down nowhere, so
on a running platform a difference there may be the online store's age and no bug (``features.skew`` measures that).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from features.base.active import ROLES
from features.base.sections import Features
from features.base.settings import Settings, SettingsError
from features.catalogue.vector import N_STREAM, WIDTH, vector_schema
from features.skew.differences import Differences, between, together
from features.transform.arrow import TRANSFORMED, Recomputation, in_log_order, number, schema_of, vectors

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame

_COLUMNS = (ROLES.id, *TRANSFORMED, "schema", "features")


def compare(
    scores: DataFrame,
    features: Features,
    start_ms: int | None = None,
    end_ms: int | None = None,
    partitions: int = 4,
    buckets: int = 16,
    store: Settings | None = None,
) -> Differences:
    """Compare the scores (columns ``sources.SERVED``) with event times in [start_ms, end_ms); None: no limit.

    ``features``: ``settings.features``. ``scores`` must hold the subjects' history, too (``sources.history_from``). Vectors of
    another schema are history and nothing more. ``buckets``: groups of subjects; a group is in memory as a whole, at about 2 kB
    a row. ``store``: the platform whose offline rows the owner and counterpart columns are compared with, None to leave those
    out; its folder is read by Spark's workers, and a row in memory takes the counterpart's tiles on top.

    Raises SettingsError where the store's joins are Spark's: a worker cannot start them.
    """
    from pyspark.sql import functions as f

    if store is not None and store.feast.offline == "spark":
        raise SettingsError(
            "feast.offline is spark, whose joins cannot run within Spark's workers; set it to duckdb to compare profiles"
        )
    low = start_ms if start_ms is not None else 0
    high = end_ms if end_ms is not None else int(np.iinfo(np.int64).max)

    def of_rows(rows: pd.DataFrame) -> pd.DataFrame:
        import pandas as pd
        import pyarrow as pa

        table = pa.Table.from_pandas(rows, schema=schema_of(_COLUMNS), preserve_index=False)
        return pd.DataFrame({"found": [msgspec.json.encode(of_a_bucket(table, features, low, high, store))]})

    bucketed = scores.select(*_COLUMNS, f.pmod(f.xxhash64(ROLES.subject), f.lit(buckets)).alias("bucket"))
    parts = bucketed.repartition(partitions, "bucket").groupBy("bucket").applyInPandas(of_rows, "found binary").collect()
    return together((msgspec.json.decode(bytes(row["found"]), type=Differences) for row in parts), width(store))


def width(store: Settings | None) -> int:
    """Tell how many columns are compared: the stream's, or all."""
    return N_STREAM if store is None else WIDTH


def of_a_bucket(rows: pa.Table, features: Features, start_ms: int, end_ms: int, store: Settings | None = None) -> Differences:
    """Do ``compare`` for some subjects: all their scores, in any order. Raises features.feast_repo.store.StoreMissing."""
    import pyarrow as pa

    table = in_log_order(rows)
    time = number(table, "event_time_ms", np.int64)
    schema = table.column("schema").to_numpy()
    wanted = np.flatnonzero((time >= start_ms) & (time < end_ms) & (schema == vector_schema(features)))
    again = Recomputation(features).vectors(table)[wanted]
    served = table.take(pa.array(wanted))
    if store is not None:
        from features.offline.as_of import fill_as_of

        fill_as_of(store, served, again)
    return between(served, vectors(served.column("features")), again, np.arange(width(store)))
