"""What comes from Feast: see every event as it was seen, or would have been, at its time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from features.base.active import ROLES
from features.base.settings import Settings
from features.offline.as_of import joined
from features.transform.arrow import number
from features.transform.columns import counted_measures
from retrain.training.dataset import Dataset
from retrain.training.split import subject_hash


def training_table(settings: Settings, folder: Path) -> Dataset:
    """Return the prepared rows in ``folder``, in event-time order, their owner and counterpart columns recomputed as of each
    event."""
    table = pq.read_table(folder).sort_by("event_time_ms")
    return Dataset(
        joined(settings, table),
        number(table, "event_time_ms", np.int64),
        counted_measures(table),
        number(table, "positive", np.bool_),
        number(table, "known", np.bool_),
        subject_hash(table.column(ROLES.subject).to_pylist()),
    )
