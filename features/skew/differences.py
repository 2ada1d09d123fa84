"""Two ways to one vector, compared bit by bit: how many values differ, by how much, and which is the first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.archive import layout
from features.base import names
from features.base.active import ROLES
from features.catalogue.vector import NAMES

#: Differences that are shown.
SHOWN = 10
_ATTRIBUTES = ("subject", "event_id", "event_time_ms", "kafka_partition", "kafka_offset")
_PLACE = [ROLES.subject, ROLES.id, ROLES.time, "kafka_partition", "kafka_offset"]
names.check(f"{__name__}._PLACE", _PLACE, layout.SCORES.names, "column of the archive of scores")


class Difference(msgspec.Struct, frozen=True):
    """One value that differs, and where."""

    subject: str
    event_id: str
    event_time_ms: int
    kafka_partition: int
    kafka_offset: int
    feature: str
    served: float
    recomputed: float


class Differences(msgspec.Struct, frozen=True):
    """``vectors`` of ``features`` values each were compared; ``differing`` of the values differ.

    ``mean`` and ``largest``: absolute, over the values that differ; 0 where none does. ``by_feature``: how many differ of each
    feature that has any, most first. ``first``: the ten earliest, by event time.
    """

    vectors: int
    features: int
    differing: int = 0
    mean: float = 0.0
    largest: float = 0.0
    by_feature: dict[str, int] = {}
    first: list[Difference] = []

    @property
    def values(self) -> int:
        """Return how many values were compared."""
        return self.vectors * self.features


def between(
    rows: pa.Table, served: NDArray[np.float32], recomputed: NDArray[np.float32], features: Sequence[int] | NDArray[np.int64]
) -> Differences:
    """Compare the columns ``features`` of two float32 [n, WIDTH]; ``rows`` [n] are the archived scores that they belong to."""
    # Here, so that a reader of reports does without the transform and its compiler.
    from features.transform.arrow import number

    columns = np.asarray(features, dtype=np.int64)
    left, right = np.ascontiguousarray(served[:, columns]), np.ascontiguousarray(recomputed[:, columns])
    event, at = np.nonzero(left.view(np.uint32) != right.view(np.uint32))
    off = np.abs(left[event, at].astype(np.float64) - right[event, at])
    time, offset = number(rows, "event_time_ms", np.int64), number(rows, "kafka_offset", np.int64)
    first = [
        Difference(
            **dict(zip(_ATTRIBUTES, rows.select(_PLACE).slice(int(event[i]), 1).to_pylist()[0].values(), strict=True)),
            feature=NAMES[columns[at[i]]],
            served=float(left[event[i], at[i]]),
            recomputed=float(right[event[i], at[i]]),
        )
        for i in np.lexsort((at, offset[event], time[event]))[:SHOWN]
    ]
    counts = np.bincount(at, minlength=len(columns))
    return Differences(
        vectors=len(left),
        features=len(columns),
        differing=len(event),
        mean=float(off.mean()) if len(off) else 0.0,
        largest=float(off.max(initial=0.0)),
        by_feature=_by_feature({NAMES[columns[i]]: int(counts[i]) for i in np.flatnonzero(counts)}),
        first=first,
    )


def together(parts: Iterable[Differences], features: int) -> Differences:
    """Return what was found in several sets of vectors, of ``features`` values each."""
    all_parts = list(parts)
    differing = sum(part.differing for part in all_parts)
    counts: dict[str, int] = {}
    for part in all_parts:
        for name, count in part.by_feature.items():
            counts[name] = counts.get(name, 0) + count
    first = sorted((difference for part in all_parts for difference in part.first), key=_when)[:SHOWN]
    return Differences(
        vectors=sum(part.vectors for part in all_parts),
        features=features,
        differing=differing,
        mean=sum(part.mean * part.differing for part in all_parts) / differing if differing else 0.0,
        largest=max((part.largest for part in all_parts), default=0.0),
        by_feature=_by_feature(counts),
        first=first,
    )


def _by_feature(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _when(difference: Difference) -> tuple[int, int, int, int]:
    return difference.event_time_ms, difference.kafka_partition, difference.kafka_offset, NAMES.index(difference.feature)
