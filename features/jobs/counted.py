"""What scores say that their events count, computed again from the events and the table of rates.

No archive has the time at which the broker took an event, which decides whether a row that came late counted
(``features.base.conversion``). So a score is right if the table gave its measure at any time since it was begun.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.base import kept_rates
from features.base.active import DOMAIN, ROLES
from features.base.rates import Rate
from features.base.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def recounted(scores: DataFrame, settings: Settings, start_ms: int | None = None, end_ms: int | None = None) -> tuple[int, int]:
    """Return how many of the scores (columns ``sources.SERVED``) in [start_ms, end_ms) say what they count, and how many of these
    say something that the table never gave. Scores of before there were rates say nothing."""
    from pyspark.sql import functions as f

    rates = kept_rates.read(settings)
    unit = DOMAIN.event.__struct_encode_fields__[DOMAIN.event.__struct_fields__.index(DOMAIN.unit_field)]

    def wrong(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            names = batch.column("unit").to_pylist()
            own, time, counted = (batch.column(name).to_numpy().astype(np.int64) for name in ("own", "time", "said"))
            yield pa.RecordBatch.from_pydict(
                {"rows": [len(names)], "wrong": [int(never_given(settings, rates, names, own, time, counted).sum())]}
            )

    rows = scores.where(f.coalesce("measure_unknown", f.lit(False)) | f.col("reference_measure").isNotNull())
    if start_ms is not None:
        rows = rows.where(f.col(ROLES.time) >= start_ms)
    if end_ms is not None:
        rows = rows.where(f.col(ROLES.time) < end_ms)
    # -1: marked as not known.
    columns = {unit: "unit", ROLES.measure: "own", ROLES.time: "time"}
    named = [f.col(name).alias(alias) for name, alias in columns.items()]
    events = rows.select(*named, f.coalesce("reference_measure", f.lit(-1)).alias("said"))
    sums = events.mapInArrow(wrong, "rows long, wrong long").collect()
    return sum(row["rows"] for row in sums), sum(row["wrong"] for row in sums)


def never_given(
    settings: Settings,
    rates: Sequence[Rate],
    units: Sequence[str],
    own: NDArray[np.int64],
    time_ms: NDArray[np.int64],
    counted: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which of n events never counted what was ``counted`` of them, bool [n]. ``own``: their measures in their units; -1
    in ``counted``: not known."""
    converter = kept_rates.converter(settings, rates)
    wrong = np.ones(len(units), dtype=np.bool_)
    # Newest first: what came late is rare, and few are left to look at again. 1: before there was a late row.
    for known_ms in sorted({max(rate.known_ms, 1) for rate in rates} | {1}, reverse=True):
        left = np.flatnonzero(wrong)
        if not len(left):
            break
        appended = np.full(len(left), known_ms, dtype=np.int64)
        again = converter.convert([units[i] for i in left.tolist()], own[left], time_ms[left], appended)
        measure = again.measure.copy()
        measure[list(again.reasons)] = -1
        wrong[left] = measure != counted[left]
    return wrong
