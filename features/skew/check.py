"""One day's check: the sample's vectors again, in batch, against those that were served.

``history``: computed from the events alone, as the stream does; a difference is a bug. ``profile`` and ``counterpart``:
what the offline store gives as of each event; a difference says that the online store held an older or a newer row when the score
was made, or that the score was made without it (degraded).
"""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.archive import mirror
from features.archive.locks import reading
from features.base.durations import DAY_MS
from features.base.sections import Features
from features.base.settings import Settings
from features.catalogue.vector import FEATURES, vector_schema
from features.feast_repo.store import StoreMissing
from features.skew.differences import between
from features.skew.report import SkewReport
from features.skew.sample import Sample, read
from features.transform.arrow import Recomputation, number, vectors

#: Where a feature's value comes from; what is computed from the event alone counts as the history's.
SOURCES = {
    source: [i for i, feature in enumerate(FEATURES) if (feature.source if feature.source != "event" else "history") == source]
    for source in ("history", "profile", "counterpart")
}


def check(settings: Settings, day: int) -> SkewReport:
    """Check ``day`` (since 1970) of the archive; ``settings.skew.subjects`` says how many subjects of it.

    Without a feature store, only the subject's features are compared.
    """
    begun = time.monotonic()
    archive = mirror.archive(settings)
    with reading(archive):
        sample = read(archive / "scores", day, settings.skew.subjects)
    rows, served, again = recompute(sample, day, settings.features)
    sources = ["history"]
    if rows.num_rows:
        try:
            fill_from_store(settings, rows, again)
        except StoreMissing:
            pass
        else:
            sources = list(SOURCES)
    by_source = {source: between(rows, served, again, SOURCES[source]) for source in sources}
    degraded = int(np.sum(rows.column("degraded").to_numpy())) if rows.num_rows else 0
    return SkewReport(day, sample.subjects, rows.num_rows, degraded, time.monotonic() - begun, by_source)


def recompute(sample: Sample, day: int, features: Features) -> tuple[pa.Table, NDArray[np.float32], NDArray[np.float32]]:
    """Return the served rows of this schema, their vectors, and the subject's columns of those again (float32 [n, WIDTH])."""
    again = Recomputation(features).vectors(sample.history)
    again = again[number(sample.history, "event_time_ms", np.int64) // DAY_MS == day]
    current = np.flatnonzero(sample.served.column("schema").to_numpy() == vector_schema(features))
    rows = sample.served.take(pa.array(current))
    return rows, vectors(rows.column("features")), again[current]


def fill_from_store(settings: Settings, rows: pa.Table, again: NDArray[np.float32]) -> None:
    """Write the other columns, in place. Feast is imported by then, and not before."""
    from features.offline.as_of import fill_as_of

    fill_as_of(settings, rows, again)
