"""How far a window lies from the reference, column by column, by Evidently."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from streams.drift.data.columns import CATEGORICAL

if TYPE_CHECKING:
    import pandas as pd

#: Earth mover's distance in standard deviations of the reference: as large for a shift as for a spread, and at equal
#: distributions near 1/sqrt(rows) whatever the column, so that one threshold serves all.
NUMERIC_METHOD = "wasserstein"
CATEGORICAL_METHOD = "jensenshannon"
#: Below this many known values on a side a distance is mostly sampling noise, and the column is left out.
MIN_KNOWN = 200


@dataclass(frozen=True)
class Distances:
    """``by_column``: distance of each column compared. ``drifted``: those counted at or above the threshold, farthest
    first. ``share``: drifted over counted, in [0, 1]; 0 where nothing could be counted."""

    by_column: dict[str, float]
    drifted: tuple[str, ...]
    share: float


def load() -> tuple[ModuleType, ModuleType, ModuleType]:
    """Import Evidently (seconds, and only once), with its telemetry off; return evidently, its metrics, and our own."""
    os.environ["DO_NOT_TRACK"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import evidently
        import evidently.metrics

        from streams.drift.data import undrawn
    return evidently, evidently.metrics, undrawn


def compare(reference: pd.DataFrame, current: pd.DataFrame, threshold: float, counted: Collection[str]) -> Distances:
    """Compare ``current`` with ``reference`` (frames of ``columns.frame``); only ``counted`` columns enter the share."""
    evidently, metrics, undrawn = load()
    usable = [str(c) for c in current if min(current[c].count(), reference[c].count()) >= MIN_KNOWN]
    share_of = [c for c in usable if c in counted]
    if not usable:
        return Distances({}, (), 0.0)
    definition = evidently.DataDefinition(
        numerical_columns=[c for c in usable if c not in CATEGORICAL],
        categorical_columns=[c for c in usable if c in CATEGORICAL],
    )
    wanted = [
        undrawn.UndrawnValueDrift(
            column=c, method=CATEGORICAL_METHOD if c in CATEGORICAL else NUMERIC_METHOD, threshold=threshold
        )
        for c in usable
    ]
    if share_of:
        wanted.append(
            metrics.DriftedColumnsCount(
                columns=share_of,
                num_method=NUMERIC_METHOD,
                cat_method=CATEGORICAL_METHOD,
                num_threshold=threshold,
                cat_threshold=threshold,
            )
        )
    sides = [evidently.Dataset.from_pandas(side[usable], data_definition=definition) for side in (current, reference)]
    with warnings.catch_warnings():
        # Evidently's own use of pandas and plotly warns; nothing there is about our data.
        warnings.simplefilter("ignore")
        results = evidently.Report(wanted, include_tests=False).run(*sides).dict()["metrics"]
    distances = {column: float(result["value"]) for column, result in zip(usable, results, strict=False)}
    drifted = sorted((c for c in share_of if distances[c] >= threshold), key=lambda c: -distances[c])
    return Distances(distances, tuple(drifted), float(results[-1]["value"]["share"]) if share_of else 0.0)
