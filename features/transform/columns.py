"""A batch of events as columns: what the transform reads, from the stream or from Parquet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.base.active import ROLES
from features.base.event import Event

if TYPE_CHECKING:
    import pyarrow as pa

_MODE_OR_UNKNOWN: dict[str | None, int] = {None: -1, **{mode: i for i, mode in enumerate(ROLES.modes)}}
_KIND_OR_FIRST: dict[str | None, int] = {None: 0, **{kind: place for place, kind in enumerate(ROLES.kinds)}}
_NAN = float("nan")
#: Measures below this, in minor units, can be summed exactly (``features.history.running_sums``).
MOST_MEASURE = 1 << 37


@dataclass(frozen=True, slots=True)
class Columns:
    """n events. Unknown latitude or longitude is NaN; unknown mode or flag is -1, unknown category 0.

    ``kind``: 0 for the kind that a history is made of, k for the k-th other one of the domain, -1 for an event of whatever kind
    whose measure is not known (``measure`` is then not read).

    Places are float32: to a metre or two, in stream and batch alike.
    """

    subject: list[str]
    event_time_ms: NDArray[np.int64]
    measure: NDArray[np.int64]
    counterpart: NDArray[np.int32]
    category: NDArray[np.int64]
    latitude: NDArray[np.float32]
    longitude: NDArray[np.float32]
    mode: NDArray[np.int8]
    flag: NDArray[np.int8]
    kind: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.subject)

    def check(self) -> None:
        """Raise ValueError, naming the column, for lengths that differ and measures outside [0, 2^37) and kinds that the
        domain does not have: compiled code reads them without looking."""
        for name in self.__slots__:
            if len(getattr(self, name)) != len(self.subject):
                raise ValueError(f"{name} has {len(getattr(self, name))} values for {len(self.subject)} events")
        if len(self.subject) and not (self.measure.min() >= 0 and self.measure.max() < MOST_MEASURE):
            raise ValueError(f"measure goes from {self.measure.min()} to {self.measure.max()}; give 0 to {MOST_MEASURE - 1}")
        if self.kind.any() and not (self.kind.min() >= -1 and self.kind.max() < max(len(ROLES.kinds), 1)):
            raise ValueError(f"kind goes from {self.kind.min()} to {self.kind.max()}; give -1 to {max(len(ROLES.kinds) - 1, 0)}")

    def take(self, rows: NDArray[np.int64]) -> Columns:
        """Return the given rows, in the given order."""
        return Columns(
            [self.subject[i] for i in rows.tolist()],
            self.event_time_ms[rows],
            self.measure[rows],
            self.counterpart[rows],
            self.category[rows],
            self.latitude[rows],
            self.longitude[rows],
            self.mode[rows],
            self.flag[rows],
            self.kind[rows],
        )


def _digest(text: str, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "little", signed=True)


@lru_cache(maxsize=200_000)
def counterpart_number(counterpart: str) -> int:
    """Return a counterpart as a stable 32-bit number: the state keeps it in arrays, and every process must agree on it.

    Counterparts are told apart by it within one subject's 90 days only: of a million subjects with a hundred counterparts each,
    one subject or so takes two of them for one.
    """
    return _digest(counterpart, 4)


@lru_cache(maxsize=10_000)
def category_number(category: str | None) -> int:
    """Return a category as a stable 64-bit number; 0 where it is not told."""
    return 0 if category is None else _digest(category, 8)


def mode_number(mode: str | None) -> int:
    """Return the place of an entry mode in ``features.base.events.ENTRY_MODES``, -1 for another or none."""
    return _MODE_OR_UNKNOWN.get(mode, -1)


def kind_numbers(kinds: Sequence[str | None]) -> NDArray[np.int8]:
    """Return the places of kinds in ``ROLES.kinds``, int8 [n]; 0 for one that is not told. Raises ValueError for others."""
    try:
        return np.array([_KIND_OR_FIRST[kind] for kind in kinds], dtype=np.int8)
    except KeyError as error:
        raise ValueError(f"{ROLES.kind} has {error.args[0]!r}; it is one of {', '.join(ROLES.kinds)}") from error


def is_apart(events: Sequence[Event]) -> NDArray[np.bool_]:
    """Tell which of n events are of another kind than the first, bool [n]: these are not scored."""
    return np.fromiter((_KIND_OR_FIRST[kind] > 0 for kind in _kind(events)), dtype=np.bool_, count=len(events))


def counterpart_numbers(counterparts: Iterable[str]) -> NDArray[np.int32]:
    """Return ``counterpart_number`` of each, int32 [n]."""
    return np.array([counterpart_number(t) for t in counterparts], dtype=np.int32)


def category_numbers(categories: Iterable[str | None]) -> NDArray[np.int64]:
    """Return ``category_number`` of each, int64 [n]."""
    return np.array([category_number(c) for c in categories], dtype=np.int64)


def from_table(table: pa.Table) -> Columns:
    """Return the columns of archived events (``features.archive.layout.SCORES`` or some of its columns), in the table's order.

    Measures are those that the stream counted (``reference_measure``); where a row does not say, the event's own. An archive from
    before kinds has no such column: all that was paid then counts as the first kind.
    """
    n = table.num_rows

    def floats(name: str | None) -> NDArray[np.float32]:
        if name is None:
            return np.full(n, _NAN, dtype=np.float32)
        return np.asarray(table.column(name).to_numpy(), dtype=np.float64).astype(np.float32)

    def values(name: str | None) -> list[Any]:
        return [None] * n if name is None else table.column(name).to_pylist()

    latitude, longitude = ROLES.place or (None, None)
    kinds = kind_numbers(values(ROLES.kind if ROLES.kind in table.column_names else None))
    return Columns(
        subject=table.column(ROLES.subject).to_pylist(),
        event_time_ms=table.column(ROLES.time).to_numpy().astype(np.int64),
        measure=counted_measures(table),
        counterpart=counterpart_numbers(table.column(ROLES.counterpart).to_pylist()),
        category=category_numbers(values(ROLES.category)),
        latitude=floats(latitude),
        longitude=floats(longitude),
        mode=np.array([mode_number(m) for m in values(ROLES.mode)], dtype=np.int8),
        flag=np.array([-1 if p is None else int(p) for p in values(ROLES.flag)], dtype=np.int8),
        kind=np.where(unknown_measures(table), -1, kinds).astype(np.int8),
    )


def counted_measures(table: pa.Table) -> NDArray[np.int64]:
    """Return what each archived event counted, int64 [n], in parts of the reference unit; 0 where that is not known."""
    measure = table.column(ROLES.measure).to_numpy().astype(np.int64)
    if "reference_measure" in table.column_names:
        column = table.column("reference_measure")
        measure = np.where(column.is_valid().to_numpy(), column.fill_null(0).to_numpy(), measure)
    return np.asarray(np.where(unknown_measures(table), 0, measure), dtype=np.int64)


def unknown_measures(table: pa.Table) -> NDArray[np.bool_]:
    """Return of which archived events nobody knows what they count, bool [n]."""
    if "measure_unknown" not in table.column_names:
        return np.zeros(table.num_rows, dtype=np.bool_)
    return np.asarray(table.column("measure_unknown").fill_null(False).to_numpy(), dtype=np.bool_)


def _optional(name: str | None, attribute: str) -> Callable[[Sequence[Event]], list[Any]]:
    """Return what reads an attribute of events, or gives Nones where the domain has no such field."""
    if name is None:
        return lambda batch: [None] * len(batch)
    read = attrgetter(attribute)
    return lambda batch: list(map(read, batch))


_category, _mode, _flag = _optional(ROLES.category, "category"), _optional(ROLES.mode, "mode"), _optional(ROLES.flag, "flag")
_kind = _optional(ROLES.kind, "kind")
_latitude, _longitude = (_optional(ROLES.place and ROLES.place[0], name) for name in ("latitude", "longitude"))


def from_events(batch: Sequence[Event]) -> Columns:
    """Return the columns of a decoded micro-batch, in its order."""
    return Columns(
        subject=[e.subject for e in batch],
        event_time_ms=np.array([e.event_time_ms for e in batch], dtype=np.int64),
        measure=np.array([e.measure for e in batch], dtype=np.int64),
        counterpart=counterpart_numbers(e.counterpart for e in batch),
        category=category_numbers(_category(batch)),
        latitude=np.array([_NAN if at is None else at for at in _latitude(batch)], dtype=np.float32),
        longitude=np.array([_NAN if at is None else at for at in _longitude(batch)], dtype=np.float32),
        mode=np.array([_MODE_OR_UNKNOWN[mode] for mode in _mode(batch)], dtype=np.int8),
        flag=np.array([-1 if flag is None else int(flag) for flag in _flag(batch)], dtype=np.int8),
        kind=np.array([_KIND_OR_FIRST[kind] for kind in _kind(batch)], dtype=np.int8),
    )
